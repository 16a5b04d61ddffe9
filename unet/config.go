package unet

import (
	"fmt"

	"segd"
)

// Norm names the normalisation after each convolution.
type Norm string

// The normalisations, as the literature names them.
const (
	NormNone     Norm = "none"     // convolutions carry a bias instead
	NormBatch    Norm = "batch"    // Ioffe and Szegedy 2015
	NormInstance Norm = "instance" // Ulyanov et al. 2016
	NormGroup    Norm = "group"    // Wu and He 2018
)

// Block names what a level of the encoder or decoder is made of.
type Block string

// BlockPlain is the double convolution of Ronneberger et al. 2015.
const BlockPlain Block = "plain"

// Skip names how an encoder level reaches the decoder level of its size.
type Skip string

// SkipConcat joins encoder and decoder channels, as Ronneberger et al. 2015.
const SkipConcat Skip = "concat"

// Config describes a U-Net: everything needed to build its graph, and so to
// know the names and shapes of its weights. It is stored in model.json.
type Config struct {
	Channels int   `json:"in_channels"`      // of the input image: 1 or 3
	Classes  int   `json:"out_channels"`     // background included: at least 2
	Width    int   `json:"width"`            // channels of the first level; each level below has twice as many
	Depth    int   `json:"depth"`            // number of 2×2 poolings
	Norm     Norm  `json:"norm"`             // default batch
	Groups   int   `json:"groups,omitempty"` // of NormGroup
	Block    Block `json:"block"`            // default plain
	Skip     Skip  `json:"skip"`             // long skip connection, default concat
}

// Stride is the number that the height and width of what enters the network
// are multiples of: 2^Depth.
func (c Config) Stride() int { return 1 << c.Depth }

// LevelWidth is the number of channels at level l, 0 being full resolution
// and Depth the bottleneck.
func (c Config) LevelWidth(l int) int { return c.Width << l }

// WithDefaults fills the fields that were left empty.
func (c Config) WithDefaults() Config {
	if c.Norm == "" {
		c.Norm = NormBatch
	}
	if c.Block == "" {
		c.Block = BlockPlain
	}
	if c.Skip == "" {
		c.Skip = SkipConcat
	}
	return c
}

// Validate returns a segd.ErrOption that names the first field that cannot
// be built.
func (c Config) Validate() error {
	bad := func(field string, v any, want string) error {
		return fmt.Errorf("unet: %w: %s %v, want %s", segd.ErrOption, field, v, want)
	}
	switch {
	case c.Channels < 1 || c.Channels > 64:
		return bad("in_channels", c.Channels, "1 to 64")
	case c.Classes < 2 || c.Classes > 256:
		return bad("out_channels", c.Classes, "2 to 256")
	case c.Width < 1 || c.Width > 256:
		return bad("width", c.Width, "1 to 256")
	case c.Depth < 1 || c.Depth > 6:
		return bad("depth", c.Depth, "1 to 6")
	case c.Norm != NormNone && c.Norm != NormBatch && c.Norm != NormInstance && c.Norm != NormGroup:
		return bad("norm", c.Norm, "batch, instance, group or none")
	case c.Norm == NormGroup && (c.Groups < 1 || c.Width%c.Groups != 0):
		return bad("groups", c.Groups, "a divisor of width")
	case c.Block != BlockPlain:
		return bad("block", c.Block, "plain")
	case c.Skip != SkipConcat:
		return bad("skip", c.Skip, "concat")
	}
	return nil
}
