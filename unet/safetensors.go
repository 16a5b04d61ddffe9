package unet

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"segd"
)

// maxHeader bounds the JSON header of a weights file; a real one has a few
// tens of kilobytes.
const maxHeader = 1 << 20

// entry is one tensor in the header of a safetensors file.
type entry struct {
	Dtype   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // from the end of the header, half open
}

// ReadParams decodes the weights of network c from a safetensors file.
//
// Tensors are F32 or F16, have the names and shapes that Params lists and
// cover the data without a gap or an overlap; `__metadata__` and PyTorch's
// num_batches_tracked counters are skipped. Anything else is segd.ErrFormat,
// a c that cannot be built segd.ErrOption. b is not kept. Memory is taken for
// c's own tensors only, whatever the header claims.
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
	if len(b) < 8 {
		return nil, bad("%d bytes, want at least 8", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return nil, bad("header of %d bytes in a file of %d, limit %d", n, len(b), maxHeader)
	}
	head, data := b[8:8+n], b[8+n:]
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(head, &raw); err != nil {
		return nil, bad("header is not a JSON object")
	}
	entries := map[string]entry{}
	for name, r := range raw {
		if name == "__metadata__" {
			continue
		}
		var e entry
		if err := json.Unmarshal(r, &e); err != nil {
			return nil, bad("header entry of %.80q", name)
		}
		entries[name] = e
	}
	if err := checkOffsets(entries, int64(len(data))); err != nil {
		return nil, bad("%v", err)
	}
	p := emptyParams(c)
	for _, s := range p.config.layout() {
		e, ok := entries[s.name]
		if !ok {
			return nil, bad("no tensor %s", s.name)
		}
		if !slices.Equal(e.Shape, s.shape) {
			return nil, bad("tensor %s has shape %v, want %v", s.name, e.Shape, s.shape)
		}
		if err := decode(p.data(s.name), e.Dtype, data[e.Offsets[0]:e.Offsets[1]]); err != nil {
			return nil, bad("tensor %s: %v", s.name, err)
		}
		delete(entries, s.name)
	}
	for name := range entries {
		if !strings.HasSuffix(name, ".num_batches_tracked") {
			return nil, bad("unknown tensor %.80q", name)
		}
	}
	return p, nil
}

// checkOffsets makes sure that the tensors cover the data exactly.
func checkOffsets(entries map[string]entry, size int64) error {
	spans := make([][2]int64, 0, len(entries))
	for _, e := range entries {
		spans = append(spans, e.Offsets)
	}
	slices.SortFunc(spans, func(a, b [2]int64) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	at := int64(0)
	for _, s := range spans {
		if s[0] != at || s[1] < s[0] || s[1] > size {
			return fmt.Errorf("tensor at bytes %d to %d, want a start at %d and an end of at most %d", s[0], s[1], at, size)
		}
		at = s[1]
	}
	if at != size {
		return fmt.Errorf("%d bytes of data, of which %d are used", size, at)
	}
	return nil
}

func decode(dst []float32, dtype string, b []byte) error {
	size := map[string]int{"F32": 4, "F16": 2}[dtype]
	if size == 0 {
		return fmt.Errorf("type %.20q, want F32 or F16", dtype)
	}
	if len(b) != size*len(dst) {
		return fmt.Errorf("%d bytes, want %d", len(b), size*len(dst))
	}
	for i := range dst {
		if size == 4 {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		} else {
			dst[i] = float32of16(binary.LittleEndian.Uint16(b[2*i:]))
		}
		if math.IsNaN(float64(dst[i])) || math.IsInf(float64(dst[i]), 0) {
			return fmt.Errorf("value %d is not finite", i)
		}
	}
	return nil
}

// Write encodes p as a safetensors file; the same values give the same bytes.
// half stores tensors of more than one dimension as F16, rounded to nearest;
// vectors (biases, scales, statistics) stay F32. A value that is not finite,
// or not as F16, is an error, and w is left alone.
func (p *Params) Write(w io.Writer, half bool) error {
	var head, data bytes.Buffer
	head.WriteByte('{')
	for i, s := range p.config.layout() {
		e := entry{Dtype: "F32", Shape: s.shape}
		e.Offsets[0] = int64(data.Len())
		buf := data.AvailableBuffer()
		f16 := half && len(s.shape) > 1
		if f16 {
			e.Dtype = "F16"
		}
		for _, v := range p.data(s.name) {
			h := float16(v)
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
