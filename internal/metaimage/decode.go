package metaimage

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"strconv"
	"strings"

	"segd"
	"segd/internal/beside"
	"segd/internal/gunzip"
)

// local reports whether the values lie behind the header.
func (h *header) local() bool { return strings.EqualFold(h.get("ElementDataFile"), "LOCAL") }

// files are the names of the files that have the values: one, a list that follows the
// header, or a pattern with the first and the last number and a step.
func (h *header) files() ([]string, error) {
	field := h.get("ElementDataFile")
	words := strings.Fields(field)
	switch {
	case len(words) > 0 && words[0] == "LIST":
		var names []string
		for line := range strings.Lines(string(h.rest[:min(len(h.rest), maxHeader)])) {
			if line = strings.TrimSpace(line); line != "" {
				names = append(names, line)
			}
		}
		return names, nil
	case strings.Contains(field, "%"):
		numbers := []int{1, h.slices(), 1}
		for i := range min(len(words)-1, len(numbers)) {
			n, err := strconv.Atoi(words[i+1])
			if err != nil {
				return nil, malformed("ElementDataFile %.60q", field)
			}
			numbers[i] = n
		}
		return beside.Pattern(words[0], numbers[0], numbers[1], numbers[2])
	}
	return []string{field}, nil
}

// slices is the number of voxels along the last axis.
func (h *header) slices() int {
	l := h.layout
	return []int{l.Height, l.Depth, l.Times}[h.axes-2]
}

// decode returns the values.
func (h *header) decode(files beside.Files) ([]byte, error) {
	if _, err := h.layout.Header(); err != nil { // sizes, before memory is taken
		return nil, err
	}
	if h.size > maxData {
		return nil, fmt.Errorf("metaimage: %w: %d bytes of values, limit %d", segd.ErrTooLarge, h.size, maxData)
	}
	if h.local() {
		return h.values(h.rest, h.size)
	}
	names, err := h.files()
	if err != nil {
		return nil, err
	}
	data, err := files.Join(names, h.size, h.values)
	if err != nil {
		return nil, fmt.Errorf("metaimage: ElementDataFile: %w", err)
	}
	return data, nil
}

// values returns size bytes of values out of rest: the file behind the header, or another
// one.
func (h *header) values(rest []byte, size int64) ([]byte, error) {
	if text := h.get("HeaderSize"); text != "" && text != "0" {
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil || n < -1:
			return nil, malformed("a HeaderSize of %.20q", text)
		case n > 0 && h.local():
			return nil, unsupported("a HeaderSize of %d with values in the same file", n)
		case n < 0: // the values are the last bytes
			last := size
			if h.yes("CompressedData") {
				if last, err = strconv.ParseInt(h.get("CompressedDataSize"), 10, 64); err != nil {
					return nil, unsupported("a HeaderSize of -1 with compressed values and no CompressedDataSize")
				}
			}
			n = max(0, int64(len(rest))-max(0, last))
		}
		rest = rest[min(n, int64(len(rest))):]
	}
	if !h.yes("CompressedData") {
		if int64(len(rest)) < size {
			return nil, malformed("truncated: %d bytes of values, want %d", len(rest), size)
		}
		return bytes.Clone(rest[:size]), nil
	}
	if size/gunzip.Ratio > int64(len(rest)) {
		return nil, malformed("truncated: %d bytes of values in a compressed file of %d", size, len(rest))
	}
	z, err := zlib.NewReader(bytes.NewReader(rest))
	if err != nil {
		return nil, malformed("damaged compression")
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(z, data); err != nil {
		return nil, malformed("truncated or damaged: fewer than %d bytes of values", size)
	}
	return data, nil
}
