package nrrd

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"segd"
	"segd/internal/beside"
	"segd/internal/gunzip"
)

// bzip2Ratio bounds what a byte of bzip2 can stand for, whose blocks of 900 kB take 32
// bytes at the least.
const bzip2Ratio = 1 << 16

// maxData bounds the values, in bytes.
const maxData = 1 << 30

// decode returns the values.
func (h *header) decode(files beside.Files) ([]byte, error) {
	if _, err := h.layout.Header(); err != nil { // sizes, before memory is taken
		return nil, err
	}
	if h.size > maxData {
		return nil, fmt.Errorf("nrrd: %w: %d bytes of values, limit %d", segd.ErrTooLarge, h.size, maxData)
	}
	if !h.detached() {
		return h.values(h.rest, h.size)
	}
	names, err := h.files()
	if err != nil {
		return nil, err
	}
	data, err := files.Join(names, h.size, h.values)
	if err != nil {
		return nil, fmt.Errorf("nrrd: data file: %w", err)
	}
	return data, nil
}

// values returns size bytes of values out of rest: what lies behind the header, or another
// file.
func (h *header) values(rest []byte, size int64) ([]byte, error) {
	lines, err := h.skip("line skip", "lineskip")
	if err != nil {
		return nil, err
	}
	for range lines {
		_, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return nil, malformed("fewer than %d lines to skip", lines)
		}
		rest = after
	}
	switch h.encoding {
	case "raw":
		return h.raw(rest, size)
	case "gzip", "gz":
		z, err := gunzip.NewReader(rest)
		if err != nil {
			return nil, malformed("damaged compression")
		}
		return h.inflate(z, len(rest), gunzip.Ratio, size)
	case "bzip2", "bz2":
		return h.inflate(bzip2.NewReader(bytes.NewReader(rest)), len(rest), bzip2Ratio, size)
	case "text", "txt", "ascii":
		return h.text(rest, size)
	case "hex":
		return h.hex(rest, size)
	}
	return nil, unsupported("encoding %.20q", h.encoding)
}

// skip reads a number of lines or bytes.
func (h *header) skip(names ...string) (int64, error) {
	text := h.get(names...)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < -1 || n > segd.MaxFile {
		return 0, malformed("%s %.20q", names[0], text)
	}
	return n, nil
}

func (h *header) raw(rest []byte, size int64) ([]byte, error) {
	n, err := h.skip("byte skip", "byteskip")
	switch {
	case err != nil:
		return nil, err
	case n < 0: // the values are the last bytes
		n = int64(len(rest)) - size
	}
	if n < 0 || int64(len(rest))-n < size {
		return nil, malformed("truncated: %d bytes of values, want %d", len(rest), size)
	}
	return bytes.Clone(rest[n : n+size]), nil
}

// inflate reads size bytes of values from r. Their compressed file has n bytes, and a
// byte of it expands to at most ratio bytes.
func (h *header) inflate(r io.Reader, n, ratio int, size int64) ([]byte, error) {
	skip, err := h.skip("byte skip", "byteskip")
	switch {
	case err != nil:
		return nil, err
	case skip < 0:
		return nil, unsupported("a byte skip of -1 in compressed values")
	case size/int64(ratio) > int64(n):
		return nil, malformed("truncated: %d bytes of values in a compressed file of %d", size, n)
	}
	if _, err := io.CopyN(io.Discard, r, skip); err != nil {
		return nil, malformed("truncated or damaged before the values")
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, malformed("truncated or damaged: fewer than %d bytes of values", size)
	}
	return data, nil
}

// text reads numbers in digits, and stores them little endian.
func (h *header) text(rest []byte, size int64) ([]byte, error) {
	count := size / int64(h.bytes)
	if 2*count-1 > int64(len(rest)) {
		return nil, malformed("truncated: %d values in %d bytes of text", count, len(rest))
	}
	h.layout.BigEndian = false
	data := make([]byte, 0, size)
	s := bufio.NewScanner(bytes.NewReader(rest))
	s.Split(bufio.ScanWords)
	for range count {
		if !s.Scan() {
			return nil, malformed("truncated: fewer than %d values", count)
		}
		word := strings.TrimSuffix(s.Text(), ",")
		var err error
		if data, err = h.number(data, word); err != nil {
			return nil, malformed("%.20q is not a value of type %s", word, h.layout.Type)
		}
	}
	return data, nil
}

// number appends a value that is written in digits.
func (h *header) number(data []byte, word string) ([]byte, error) {
	le := binary.LittleEndian
	var bits uint64
	switch {
	case h.layout.Type == "float32":
		v, err := strconv.ParseFloat(word, 32)
		return le.AppendUint32(data, math.Float32bits(float32(v))), err
	case h.layout.Type == "float64":
		v, err := strconv.ParseFloat(word, 64)
		return le.AppendUint64(data, math.Float64bits(v)), err
	case h.signed:
		v, err := strconv.ParseInt(word, 10, 8*h.bytes)
		if err != nil {
			return data, err
		}
		bits = uint64(v)
	default:
		v, err := strconv.ParseUint(word, 10, 8*h.bytes)
		if err != nil {
			return data, err
		}
		bits = v
	}
	return append(data, le.AppendUint64(nil, bits)[:h.bytes]...), nil
}

// hex reads two digits a byte.
func (h *header) hex(rest []byte, size int64) ([]byte, error) {
	if 2*size > int64(len(rest)) {
		return nil, malformed("truncated: %d bytes of values in %d digits", size, len(rest))
	}
	digits := bytes.Join(bytes.Fields(rest), nil)
	if int64(len(digits)) < 2*size {
		return nil, malformed("truncated: %d bytes of values in %d digits", size, len(digits))
	}
	data := make([]byte, size)
	if _, err := hex.Decode(data, digits[:2*size]); err != nil {
		return nil, malformed("values that are not hexadecimal digits")
	}
	return data, nil
}
