package exchange

import (
	"fmt"
	"slices"
	"strings"

	"segd/unet"
)

// facts are what the shapes of a network's tensors reveal about its Config.
// candidates enumerates the rest.
type facts struct {
	channels, classes int
	head              unet.Head
	widths            []int // by level, the bottleneck last
	convs, growth     int   // of the first block
	// skips and attention are the possible values; nil means any.
	skips     []unet.Skip
	attention []bool
}

// candidates lists the networks that match the facts. told holds fields that
// are known otherwise; zero means unknown.
func (f facts) candidates(told unet.Config) []unet.Config {
	base := unet.Config{
		Channels: f.channels, Classes: f.classes, Head: f.head, Width: f.widths[0], Depth: len(f.widths) - 1,
		Convs: f.convs, Groups: told.Groups,
	}
	if last := f.widths[base.Depth]; last != base.Width<<base.Depth {
		base.MaxWidth = last
	}
	skips, attention := f.skips, f.attention
	if skips == nil {
		skips = choices(told.Skip, unet.SkipConcat, unet.SkipAdd, unet.SkipNone, unet.SkipNested)
	}
	if attention == nil {
		attention = []bool{false, true}
	}
	var list []unet.Config
	for _, block := range choices(told.Block, unet.BlockPlain, unet.BlockResidual, unet.BlockPreact, unet.BlockDense) {
		for _, skip := range skips {
			for _, norm := range choices(told.Norm, unet.NormBatch, unet.NormNone, unet.NormInstance, unet.NormGroup) {
				for _, up := range choices(told.Up, unet.UpTransposed, unet.UpBilinear) {
					for _, attention := range attention {
						c := base
						c.Block, c.Skip, c.Norm, c.Up, c.Attention = block, skip, norm, up, attention
						if block == unet.BlockDense {
							c.Growth = f.growth
						}
						switch {
						case norm != unet.NormGroup:
							c.Groups = 0
						case c.Groups == 0:
							c.Groups = 1 // the tensors look the same for any number
						}
						if c.Validate() == nil && slices.Equal(widths(c), f.widths) {
							list = append(list, c)
						}
					}
				}
			}
		}
	}
	return list
}

func choices[T comparable](told T, all ...T) []T {
	var none T
	if told != none {
		return []T{told}
	}
	return all
}

func widths(c unet.Config) []int {
	var w []int
	for l := range c.Depth + 1 {
		w = append(w, c.LevelWidth(l))
	}
	return w
}

// fieldsThatDiffer names, as flags, the fields in which candidates differ.
func fieldsThatDiffer(list []unet.Config) string {
	var text []string
	add := func(flag string, value func(unet.Config) string) {
		var seen []string
		for _, c := range list {
			if v := value(c); !slices.Contains(seen, v) {
				seen = append(seen, v)
			}
		}
		if len(seen) > 1 {
			text = append(text, fmt.Sprintf("--%s %s", flag, strings.Join(seen, "|")))
		}
	}
	add("block", func(c unet.Config) string { return string(c.Block) })
	add("skip", func(c unet.Config) string { return string(c.Skip) })
	add("norm", func(c unet.Config) string {
		if c.Norm == unet.NormGroup {
			return "group (with --groups N)"
		}
		return string(c.Norm)
	})
	add("up", func(c unet.Config) string { return string(c.Up) })
	return strings.Join(text, " and ")
}
