package jpeg

// lutBits is the longest code that is found in one step.
const lutBits = 10

// huffman is a Huffman table (T.81 annex C).
type huffman struct {
	// lut holds length<<8 | symbol of the code at the start of lutBits bits; 0 if
	// it is longer.
	lut [1 << lutBits]uint16
	// fast holds what the same bits say where they take in the bits of an AC
	// coefficient, or of a difference, too: value<<16 | run<<8 | length of
	// both; 0: they do not.
	fast [1 << lutBits]int32
	// limit is, for each length, the code after the last one, aligned to 16 bits;
	// offset plus a code is the index of its symbol.
	limit   [17]uint32
	offset  [17]int32
	symbols [256]byte
	top     byte // highest symbol
}

// huffmanTables reads Huffman tables (T.81 B.2.4.2).
func (d *decoder) huffmanTables(s []byte) error {
	for len(s) > 0 {
		if len(s) < 17 {
			return malformed("truncated in a Huffman table")
		}
		class, t := s[0]>>4, s[0]&15
		if class > 1 || t > 3 {
			return malformed("Huffman table with class and number %02X", s[0])
		}
		n := 0
		for _, c := range s[1:17] {
			n += int(c)
		}
		if n > 256 || len(s) < 17+n {
			return malformed("Huffman table with %d symbols in %d bytes", n, len(s)-17)
		}
		h, err := newHuffman(s[1:17], s[17:17+n])
		if err != nil {
			return err
		}
		h.addValues(class == 0)
		if class == 0 {
			d.dc[t] = h
		} else {
			d.ac[t] = h
		}
		s = s[17+n:]
	}
	return nil
}

// newHuffman makes a table from the numbers of codes of each length and their
// symbols. There may be too few codes, but not too many.
func newHuffman(counts, symbols []byte) (*huffman, error) {
	h := &huffman{}
	copy(h.symbols[:], symbols)
	for _, s := range symbols {
		h.top = max(h.top, s)
	}
	code, k := uint32(0), int32(0)
	for length := 1; length <= 16; length++ {
		h.offset[length] = k - int32(code)
		for range counts[length-1] {
			if code>>length != 0 {
				return nil, malformed("Huffman table with more codes of %d bits than there are", length)
			}
			if length <= lutBits {
				e := uint16(length)<<8 | uint16(symbols[k])
				first := code << (lutBits - length)
				for i := range uint32(1) << (lutBits - length) {
					h.lut[first+i] = e
				}
			}
			code++
			k++
		}
		h.limit[length] = code << (16 - length)
		code <<= 1
	}
	return h, nil
}

// long decodes a code that lut does not hold; 0 if there is none.
func (h *huffman) long(acc uint64) uint16 {
	v := uint32(acc >> 48)
	for length := lutBits + 1; length <= 16; length++ {
		if v < h.limit[length] {
			i := int32(v>>(16-length)) + h.offset[length]
			return uint16(length)<<8 | uint16(h.symbols[i&0xff])
		}
	}
	return 0
}

// addValues fills in fast. Of a difference, the symbol is the size alone, and
// that may be zero.
func (h *huffman) addValues(difference bool) {
	for i, e := range h.lut {
		length, s := int(e>>8), int(e&15)
		if e == 0 || s == 0 && !(difference && e&0xff == 0) || length+s > lutBits {
			continue
		}
		v := i >> (lutBits - length - s) & (1<<s - 1)
		h.fast[i] = int32(extend(v, s))<<16 | int32(e>>4&15)<<8 | int32(length+s)
	}
}
