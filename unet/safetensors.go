package unet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"segd"
	"segd/internal/tensors"
)

// ReadParams decodes the weights of network c from a safetensors file.
//
// Tensors are F32 or F16, have the names and shapes listed at Params, and cover
// the data without gaps or overlaps. `__metadata__` and PyTorch's
// num_batches_tracked counters are skipped. Anything else is segd.ErrFormat; an
// invalid c is segd.ErrOption. ReadParams does not keep b. It allocates only
// c's own tensors, whatever the header claims.
//
// Format: github.com/huggingface/safetensors, README, section Format.
func ReadParams(c Config, b []byte) (*Params, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	bad := func(format string, a ...any) error {
		return fmt.Errorf("unet: %w: weights: %s", segd.ErrFormat, fmt.Sprintf(format, a...))
	}
	list, err := tensors.ReadSafetensors(b)
	if err != nil {
		return nil, fmt.Errorf("unet: weights: %w", err)
	}
	given := make(map[string]tensors.Tensor, len(list))
	for _, t := range list {
		given[t.Name] = t
	}
	p := emptyParams(c)
	for _, s := range p.config.layout() {
		t, ok := given[s.name]
		if !ok {
			return nil, bad("no tensor %s", s.name)
		}
		if !slices.Equal(t.Shape, s.shape) {
			return nil, bad("tensor %s has shape %.80v, want %v", s.name, t.Shape, s.shape)
		}
		if t.Dtype != tensors.F32 && t.Dtype != tensors.F16 {
			return nil, bad("tensor %s has type %.20q, want F32 or F16", s.name, t.Dtype)
		}
		v, err := t.Floats()
		if err != nil {
			return nil, fmt.Errorf("unet: weights: %w", err)
		}
		copy(p.data(s.name), v)
		delete(given, s.name)
	}
	for name := range given {
		if !strings.HasSuffix(name, ".num_batches_tracked") {
			return nil, bad("unknown tensor %.80q", name)
		}
	}
	return p, nil
}

// Write encodes p as a safetensors file. The same values give the same bytes.
// half stores tensors of more than one dimension as F16, rounded to nearest;
// vectors (biases, scales, statistics) stay F32. A value that is not finite, or
// not representable as a finite F16, is an error, and nothing is written to w.
func (p *Params) Write(w io.Writer, half bool) error {
	var head, data bytes.Buffer
	head.WriteByte('{')
	for i, s := range p.config.layout() {
		e := tensors.Entry{Dtype: tensors.F32, Shape: s.shape}
		e.Offsets[0] = int64(data.Len())
		buf := data.AvailableBuffer()
		f16 := half && len(s.shape) > 1
		if f16 {
			e.Dtype = tensors.F16
		}
		for _, v := range p.data(s.name) {
			h := tensors.Float16(v)
			switch {
			case v-v != 0 || f16 && h&0x7c00 == 0x7c00:
				return fmt.Errorf("unet: weights: tensor %s holds %v, which %s cannot", s.name, v, e.Dtype)
			case f16:
				buf = binary.LittleEndian.AppendUint16(buf, h)
			default:
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
		}
		data.Write(buf)
		e.Offsets[1] = int64(data.Len())
		js, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("unet: weights: %w", err)
		}
		if i > 0 {
			head.WriteByte(',')
		}
		fmt.Fprintf(&head, "%q:%s", s.name, js)
	}
	head.WriteByte('}')
	for head.Len()%8 != 0 {
		head.WriteByte(' ') // the data starts at a multiple of 8
	}
	n := binary.LittleEndian.AppendUint64(nil, uint64(head.Len()))
	for _, b := range [][]byte{n, head.Bytes(), data.Bytes()} {
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("unet: weights: %w", err)
		}
	}
	return nil
}
