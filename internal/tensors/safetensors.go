package tensors

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"segd"
)

// maxHeader limits the JSON header of a safetensors file; real ones have a few
// tens of kilobytes.
const maxHeader = 1 << 20

// Entry is one tensor in the header of a safetensors file.
type Entry struct {
	Dtype   Dtype    `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // from the end of the header, half open
}

// ReadSafetensors returns the tensors of a safetensors file in the order of
// their data. They share b and cover the data without gaps or overlaps.
// `__metadata__` is skipped. Anything else is segd.ErrFormat. Decoding a tensor
// checks whether its size in bytes matches its shape.
//
// Format: github.com/huggingface/safetensors, README, section Format.
func ReadSafetensors(b []byte) ([]Tensor, error) {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("tensors: %w: safetensors: %s", segd.ErrFormat, fmt.Sprintf(format, a...))
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
	delete(raw, "__metadata__")
	if len(raw) > MaxTensors {
		return nil, bad("%d tensors, limit %d", len(raw), MaxTensors)
	}
	names, entries := make([]string, 0, len(raw)), make(map[string]Entry, len(raw))
	for name, r := range raw {
		var e Entry
		if err := json.Unmarshal(r, &e); err != nil {
			return nil, bad("invalid header entry %.80q", name)
		}
		names, entries[name] = append(names, name), e
	}
	slices.SortFunc(names, func(a, b string) int {
		p, q := entries[a].Offsets, entries[b].Offsets
		return cmp.Or(cmp.Compare(p[0], q[0]), cmp.Compare(p[1], q[1]), cmp.Compare(a, b))
	})
	list, at := make([]Tensor, 0, len(names)), int64(0)
	for _, name := range names {
		e := entries[name]
		from, to := e.Offsets[0], e.Offsets[1]
		if from != at || to < from || to > int64(len(data)) {
			return nil, bad("tensor at bytes %d to %d, want it to start at %d and end by %d", from, to, at, len(data))
		}
		list, at = append(list, Tensor{Name: name, Dtype: e.Dtype, Shape: e.Shape, Data: data[from:to]}), to
	}
	if at != int64(len(data)) {
		return nil, bad("%d bytes of data, but the header describes %d", len(data), at)
	}
	return list, nil
}
