package unet

import (
	"cmp"
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

// Block names the building block of an encoder or decoder level; block.go draws
// each.
type Block string

// The blocks, as the literature names them.
const (
	BlockPlain    Block = "plain"    // consecutive convolutions: Ronneberger et al. 2015
	BlockResidual Block = "residual" // with a shortcut around each pair: He et al. 2016a
	BlockPreact   Block = "preact"   // the same, activated before the convolutions: He et al. 2016b
	BlockDense    Block = "dense"    // each convolution reads all earlier ones: Huang et al. 2017
)

// Skip names the connection from an encoder level to the decoder level of its
// size.
type Skip string

// The long skip connections, as the literature names them.
const (
	SkipConcat Skip = "concat" // encoder and decoder channels side by side: Ronneberger et al. 2015
	SkipAdd    Skip = "add"    // their sum: Chaurasia and Culurciello 2017
	SkipNone   Skip = "none"   // no connection: an encoder and a decoder
	SkipNested Skip = "nested" // through further blocks: UNet++, Zhou et al. 2018
)

// Up names the upsampling in the decoder.
type Up string

// The kinds of upsampling; both halve the channels.
const (
	UpTransposed Up = "transposed" // 2×2 transposed convolution: Ronneberger et al. 2015
	UpBilinear   Up = "bilinear"   // bilinear interpolation and a 1×1 convolution: Odena et al. 2016
)

// Head names what the network's output means.
type Head string

// The heads.
const (
	HeadClasses    Head = ""           // logits, a channel for each class
	HeadRegression Head = "regression" // values, such as distances or denoised grey values
)

// fewest is the minimum number of output channels for each head.
var fewest = map[Head]int{HeadClasses: 2, HeadRegression: 1}

// Config describes a U-Net completely: it determines the graph and the names
// and shapes of the weights. It is stored in model.json.
type Config struct {
	Channels  int   `json:"in_channels"`         // of the input image: 1 or 3
	Classes   int   `json:"out_channels"`        // classes with background, at least 2; or values per pixel, at least 1
	Width     int   `json:"width"`               // channels of the first level; each level below has twice as many
	MaxWidth  int   `json:"max_width,omitempty"` // limit on the channels of every level; 0: none
	Depth     int   `json:"depth"`               // number of 2×2 pooling steps
	Norm      Norm  `json:"norm"`                // default batch
	Groups    int   `json:"groups,omitempty"`    // number of groups, for NormGroup
	Block     Block `json:"block"`               // default plain
	Convs     int   `json:"convs,omitempty"`     // 3×3 convolutions per block, default 2, or 3 in a dense block
	Growth    int   `json:"growth,omitempty"`    // for BlockDense: channels that each convolution adds at the first level, growing with LevelWidth below; default half of Width
	Skip      Skip  `json:"skip"`                // long skip connection, default concat
	Attention bool  `json:"attention,omitempty"` // long skips pass an attention gate: Oktay et al. 2018
	Up        Up    `json:"up,omitempty"`        // default transposed
	Head      Head  `json:"head,omitempty"`      // default classes
}

// Stride returns 2^Depth. The height and width of the network's input are
// multiples of it.
func (c Config) Stride() int { return 1 << c.Depth }

// LevelWidth returns the number of channels at level l. Level 0 is full
// resolution, and Depth is the bottleneck.
func (c Config) LevelWidth(l int) int {
	if w := c.Width << l; c.MaxWidth == 0 || w < c.MaxWidth {
		return w
	}
	return c.MaxWidth
}

// levelGrowth returns the number of channels that each convolution of a dense
// block adds at level l.
func (c Config) levelGrowth(l int) int { return max(1, c.Growth*c.LevelWidth(l)/c.Width) }

// WithDefaults fills in empty fields.
func (c Config) WithDefaults() Config {
	c.Norm = cmp.Or(c.Norm, NormBatch)
	c.Block = cmp.Or(c.Block, BlockPlain)
	c.Skip = cmp.Or(c.Skip, SkipConcat)
	c.Up = cmp.Or(c.Up, UpTransposed)
	if c.Block == BlockDense {
		// Three convolutions with half the width of a level cost about as much
		// as the two of a plain block.
		c.Convs = cmp.Or(c.Convs, 3)
		c.Growth = cmp.Or(c.Growth, max(1, c.Width/2))
	}
	c.Convs = cmp.Or(c.Convs, 2)
	return c
}

// Limits of a network: far beyond any useful network, yet low enough that no
// manifest can ask for more memory than exists.
const (
	maxWidth = 256
	maxDepth = 6
	maxConvs = 16
)

// Validate returns nil, or a segd.ErrOption that names the first invalid field.
func (c Config) Validate() error {
	bad := func(field string, v any, want string) error {
		return fmt.Errorf("unet: %w: %s %v, want %s", segd.ErrOption, field, v, want)
	}
	switch {
	case c.Channels < 1 || c.Channels > 64:
		return bad("in_channels", c.Channels, "1 to 64")
	case fewest[c.Head] == 0:
		return bad("head", c.Head, "regression or none")
	case c.Classes < fewest[c.Head] || c.Classes > 256:
		return bad("out_channels", c.Classes, "2 to 256, or from 1 with head regression")
	case c.Width < 1 || c.Width > maxWidth:
		return bad("width", c.Width, fmt.Sprint("1 to ", maxWidth))
	case c.MaxWidth != 0 && (c.MaxWidth < c.Width || c.MaxWidth > maxWidth<<maxDepth):
		return bad("max_width", c.MaxWidth, fmt.Sprintf("0 or width %d to %d", c.Width, maxWidth<<maxDepth))
	case c.Depth < 1 || c.Depth > maxDepth:
		return bad("depth", c.Depth, fmt.Sprint("1 to ", maxDepth))
	case c.Norm != NormNone && c.Norm != NormBatch && c.Norm != NormInstance && c.Norm != NormGroup:
		return bad("norm", c.Norm, "batch, instance, group or none")
	case c.Norm == NormGroup && (c.Groups < 1 || c.Width%c.Groups != 0):
		return bad("groups", c.Groups, "a divisor of width")
	case c.Norm == NormGroup && c.MaxWidth%c.Groups != 0:
		return bad("groups", c.Groups, "a divisor of max_width")
	case c.Convs < 1 || c.Convs > maxConvs:
		return bad("convs", c.Convs, fmt.Sprint("1 to ", maxConvs))
	}
	return c.validateSkips(bad)
}

// validateSkips checks the fields that determine the connections.
func (c Config) validateSkips(bad func(field string, v any, want string) error) error {
	switch c.Block {
	case BlockPlain:
	case BlockResidual, BlockPreact:
		if c.Convs%2 != 0 {
			return bad("convs", c.Convs, fmt.Sprintf("an even number, because a %s unit has two", c.Block))
		}
	case BlockDense:
		if c.Growth < 1 || c.Growth > maxWidth {
			return bad("growth", c.Growth, fmt.Sprint("1 to ", maxWidth))
		}
		for l := 0; c.Norm == NormGroup && l <= c.Depth; l++ {
			if g := c.levelGrowth(l); g%c.Groups != 0 {
				return bad("groups", c.Groups, fmt.Sprintf("a divisor of the growth %d of level %d", g, l))
			}
		}
	default:
		return bad("block", c.Block, "plain, residual, preact or dense")
	}
	switch {
	case c.Growth != 0 && c.Block != BlockDense:
		return bad("growth", c.Growth, fmt.Sprintf("0 with %s blocks", c.Block))
	case c.Skip != SkipConcat && c.Skip != SkipAdd && c.Skip != SkipNone && c.Skip != SkipNested:
		return bad("skip", c.Skip, "concat, add, none or nested")
	case c.Attention && c.Skip != SkipConcat && c.Skip != SkipAdd:
		return bad("attention", c.Attention, fmt.Sprintf("false with skip %s: a gate needs a single long skip, concat or add", c.Skip))
	case c.Up != UpTransposed && c.Up != UpBilinear:
		return bad("up", c.Up, "transposed or bilinear")
	}
	return nil
}

// String describes the network on one line: size, normalisation, blocks, skips and
// upsampling.
func (c Config) String() string {
	block := fmt.Sprintf("%s blocks of %d", c.Block, c.Convs)
	if c.Block == BlockDense {
		block += fmt.Sprintf(" growing by %d", c.Growth)
	}
	attention := ""
	if c.Attention {
		attention = " with attention"
	}
	width := fmt.Sprint("width ", c.Width)
	if c.MaxWidth != 0 {
		width += fmt.Sprint(" to ", c.MaxWidth)
	}
	return fmt.Sprintf("%s, depth %d, %s norm, %s, %s skips%s, %s up", width, c.Depth, c.Norm, block, c.Skip, attention, c.Up)
}
