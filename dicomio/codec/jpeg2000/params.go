package jpeg2000

import (
	"encoding/binary"
	"slices"
)

// Styles of a code block (15444-1 Table A.19, 15444-15 Table A.4).
const (
	styleBypass   = 1 << iota // raw bits in the low planes
	styleReset                // each pass resets the contexts
	styleTermAll              // a codeword segment for each pass
	styleCausal               // contexts do not look into the next stripe
	stylePredict              // predictable termination; nothing changes for a decoder
	styleSegSym               // four known symbols after each cleanup pass
	styleHT                   // HT blocks
	styleHTMixed              // HT and other blocks
	styleAllKnown = styleHT<<1 - 1
)

// Progression orders (15444-1 Table A.16).
const (
	orderLRCP = iota
	orderRLCP
	orderRPCL
	orderPCRL
	orderCPRL
)

const (
	maxLevels = 32
	maxBands  = 3*maxLevels + 1
)

// params holds the coding parameters of a tile. Those of the main header apply
// unless the header of the tile overrides them.
type params struct {
	order     int
	layers    int
	transform bool // RCT or ICT on the first three components
	coding    []coding
	quant     []quant
	roi       []int // the shift of the region of interest (RGN)
	changes   []volume
	hasCoding bool
	hasQuant  bool
	ownCoding []bool // set by a COC of this header, which COD does not change
	ownQuant  []bool
}

// coding describes the decomposition and the code blocks of a component (COD,
// COC).
type coding struct {
	levels                    int
	blockWidth, blockHeight   int // exponents of 2
	style                     int
	reversible                bool // 5/3; else 9/7
	precinctWidth, precHeight [maxLevels + 1]int
}

// quant is the quantisation of a component (QCD, QCC): for each subband from LL
// on, exponent and mantissa of its step (15444-1 E.1).
type quant struct {
	guard    int
	exponent [maxBands]int
	mantissa [maxBands]int
}

// A volume is a part of the packets of a tile, in one order (POC).
type volume struct {
	order        int
	res0, res1   int
	comp0, comp1 int
	layer1       int
}

func (p *params) init(components int) {
	p.coding = make([]coding, components)
	p.quant = make([]quant, components)
	p.roi = make([]int, components)
	p.ownCoding = make([]bool, components)
	p.ownQuant = make([]bool, components)
}

// clone returns the initial parameters of a tile.
func (p *params) clone() params {
	q := *p
	q.coding = slices.Clone(p.coding)
	q.quant = slices.Clone(p.quant)
	q.roi = slices.Clone(p.roi)
	q.ownCoding = make([]bool, len(p.coding))
	q.ownQuant = make([]bool, len(p.quant))
	return q
}

func (p *params) complete() error {
	if !p.hasCoding || !p.hasQuant {
		return malformed("main header without COD or QCD marker")
	}
	return nil
}

// parse reads one marker segment of a main or tile header. It skips markers that
// do not affect decoding (TLM, PLT, CRG, COM ...).
func (p *params) parse(marker int, b []byte, components int) error {
	switch marker {
	case markCOD:
		return p.parseCOD(b)
	case markCOC:
		i, b, err := componentIndex(b, components)
		if err != nil {
			return err
		}
		if len(b) < 1 {
			return malformed("COC marker is too short")
		}
		p.ownCoding[i] = true
		return p.coding[i].parse(b[1:], b[0]&1 != 0)
	case markQCD:
		var q quant
		if err := q.parse(b); err != nil {
			return err
		}
		for i := range p.quant {
			if !p.ownQuant[i] {
				p.quant[i] = q
			}
		}
		p.hasQuant = true
	case markQCC:
		i, b, err := componentIndex(b, components)
		if err != nil {
			return err
		}
		p.ownQuant[i] = true
		return p.quant[i].parse(b)
	case markRGN:
		i, b, err := componentIndex(b, components)
		if err != nil {
			return err
		}
		if len(b) < 2 || b[0] != 0 {
			return malformed("RGN marker with an unknown style")
		}
		p.roi[i] = int(b[1])
	case markPOC:
		return p.parsePOC(b, components)
	}
	return nil
}

// componentIndex splits the component index off a COC, QCC, RGN or POC marker.
// There are never enough components to need its second byte.
func componentIndex(b []byte, components int) (int, []byte, error) {
	if len(b) < 1 || int(b[0]) >= components {
		return 0, nil, malformed("marker for a component that does not exist")
	}
	return int(b[0]), b[1:], nil
}

func (p *params) parseCOD(b []byte) error {
	if len(b) < 10 {
		return malformed("COD marker with %d bytes", len(b))
	}
	p.order = int(b[1])
	p.layers = int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case p.order > orderCPRL:
		return malformed("progression order %d", p.order)
	case p.layers == 0:
		return malformed("no layers")
	case b[4] > 1:
		return unsupported("component transform %d", b[4])
	}
	p.transform = b[4] == 1
	var c coding
	if err := c.parse(b[5:], b[0]&1 != 0); err != nil {
		return err
	}
	for i := range p.coding {
		if !p.ownCoding[i] {
			p.coding[i] = c
		}
	}
	p.hasCoding = true
	return nil
}

// parse reads the SPcod or SPcoc parameters (15444-1 Table A.20).
func (c *coding) parse(b []byte, precincts bool) error {
	if len(b) < 5 {
		return malformed("coding style with %d bytes", len(b))
	}
	*c = coding{
		levels:      int(b[0]),
		blockWidth:  int(b[1]) + 2,
		blockHeight: int(b[2]) + 2,
		style:       int(b[3]),
		reversible:  b[4] == 1,
	}
	switch {
	case c.levels > maxLevels:
		return malformed("%d decomposition levels, limit %d", c.levels, maxLevels)
	case c.blockWidth > 10 || c.blockHeight > 10 || c.blockWidth+c.blockHeight > 12:
		return malformed("code blocks of 2^%d×2^%d samples", c.blockHeight, c.blockWidth)
	case c.style&styleHTMixed != 0:
		return unsupported("HT code blocks mixed with others")
	case c.style > styleAllKnown:
		return unsupported("code block style %02X", c.style)
	case b[4] > 1:
		return unsupported("wavelet %d", b[4])
	case precincts && len(b) < 6+c.levels:
		return malformed("coding style has %d precinct sizes for %d levels", len(b)-5, c.levels)
	}
	for r := range c.levels + 1 {
		c.precinctWidth[r], c.precHeight[r] = 15, 15
		if precincts {
			c.precinctWidth[r], c.precHeight[r] = int(b[5+r]&15), int(b[5+r]>>4)
			if r > 0 && (c.precinctWidth[r] == 0 || c.precHeight[r] == 0) {
				return malformed("precincts of one sample at resolution %d", r)
			}
		}
	}
	return nil
}

// parse reads the Sqcd and SPqcd parameters (15444-1 Table A.27). Omitted
// exponents are those of no bits.
func (q *quant) parse(b []byte) error {
	if len(b) < 1 {
		return malformed("empty quantisation marker")
	}
	*q = quant{guard: int(b[0] >> 5)}
	style, b := b[0]&31, b[1:]
	switch style {
	case 0: // none: exponents alone
		if len(b) < 1 {
			return malformed("quantisation without exponents")
		}
		for i := range min(len(b), maxBands) {
			q.exponent[i] = int(b[i] >> 3)
		}
	case 1: // one step, the others follow from it (E-5)
		if len(b) < 2 {
			return malformed("quantisation without a step")
		}
		v := int(binary.BigEndian.Uint16(b))
		for i := range maxBands {
			q.exponent[i] = max(0, v>>11-max(0, i-1)/3)
			q.mantissa[i] = v & 2047
		}
	case 2:
		if len(b) < 2 {
			return malformed("quantisation without steps")
		}
		for i := range min(len(b)/2, maxBands) {
			v := int(binary.BigEndian.Uint16(b[2*i:]))
			q.exponent[i], q.mantissa[i] = v>>11, v&2047
		}
	default:
		return malformed("quantisation style %d", style)
	}
	return nil
}

// parsePOC reads progression order changes, which add up (15444-1 A.6.6).
func (p *params) parsePOC(b []byte, components int) error {
	if len(b) == 0 || len(b)%7 != 0 {
		return malformed("POC marker with %d bytes", len(b))
	}
	for ; len(b) > 0; b = b[7:] {
		v := volume{
			res0: int(b[0]), comp0: int(b[1]),
			layer1: int(binary.BigEndian.Uint16(b[2:])),
			res1:   int(b[4]), comp1: int(b[5]), order: int(b[6]),
		}
		if v.comp1 == 0 || v.comp1 > components { // 0 stands for 256
			v.comp1 = components
		}
		if v.order > orderCPRL {
			return malformed("progression order %d", v.order)
		}
		p.changes = append(p.changes, v)
	}
	return nil
}
