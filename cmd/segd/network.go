package main

import (
	"github.com/spf13/pflag"

	"segd/unet"
)

// networkFlags are the choices of segd train and segd bench that are the same:
// what the network is made of, its size apart.
type networkFlags struct {
	block, skip, up, norm string
	attention             bool
	maxWidth              int
	convs, growth, groups int
}

// networkFlagNames are those that add defines.
var networkFlagNames = []string{"max-width", "block", "convs", "growth", "skip", "attention", "up", "norm", "groups"}

func (n *networkFlags) add(f *pflag.FlagSet) {
	f.IntVar(&n.maxWidth, "max-width", 0, "limit on the channels of every level (0: chosen by the plan in training, else no limit)")
	f.Var(newChoice(&n.block, "", string(unet.BlockPlain), string(unet.BlockResidual), string(unet.BlockPreact), string(unet.BlockDense)),
		"block", "building block of a level (default plain)")
	f.IntVar(&n.convs, "convs", 0, "3×3 convolutions per block (0: 2, or 3 in a dense block)")
	f.IntVar(&n.growth, "growth", 0, "channels that each convolution of a dense block adds at the first level (0: half the width)")
	f.Var(newChoice(&n.skip, "", string(unet.SkipConcat), string(unet.SkipAdd), string(unet.SkipNone), string(unet.SkipNested)),
		"skip", "long skip connections from encoder to decoder (default concat)")
	f.BoolVar(&n.attention, "attention", false, "attention gates on the long skips")
	f.Var(newChoice(&n.up, "", string(unet.UpTransposed), string(unet.UpBilinear)),
		"up", "upsampling in the decoder (default transposed)")
	f.Var(newChoice(&n.norm, "", string(unet.NormBatch), string(unet.NormInstance), string(unet.NormGroup), string(unet.NormNone)),
		"norm", "normalisation after each convolution (default: batch for train, none for bench)")
	f.IntVar(&n.groups, "groups", 0, "number of groups for --norm group")
}

// config is a network of that width and depth.
func (n *networkFlags) config(width, depth int) unet.Config {
	return unet.Config{
		Width: width, MaxWidth: n.maxWidth, Depth: depth, Block: unet.Block(n.block), Convs: n.convs, Growth: n.growth,
		Skip: unet.Skip(n.skip), Attention: n.attention, Up: unet.Up(n.up),
		Norm: unet.Norm(n.norm), Groups: n.groups,
	}
}
