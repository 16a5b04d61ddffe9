package study

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"segd"
	"segd/unet"
)

// Variant is a network to study, with the name under which it was requested.
type Variant struct {
	Name    string
	Network unet.Config // width, and depth unless named, are those of the study
}

// ParseVariant reads a name made of words separated by hyphens: a block (plain,
// residual, preact, dense), a long skip (concat, add, none, nested), attention,
// bilinear, and numbers convsN, growthN and depthN. nonorm omits normalisation.
// Anything not named has its default: an empty name would mean plain-concat. The
// errors are segd.ErrOption.
func ParseVariant(name string) (Variant, error) {
	v := Variant{Name: name}
	for word := range strings.SplitSeq(name, "-") {
		if err := v.take(word); err != nil {
			return v, err
		}
	}
	full := v.Network
	full.Channels, full.Classes, full.Width, full.Depth = 1, 2, defaultWidth, cmp.Or(full.Depth, 1)
	if err := full.WithDefaults().Validate(); err != nil {
		return v, fmt.Errorf("study: variant %s: %w", name, err)
	}
	return v, nil
}

// take reads one word of a name.
func (v *Variant) take(word string) error {
	n := &v.Network
	switch word {
	case string(unet.BlockPlain), string(unet.BlockResidual), string(unet.BlockPreact), string(unet.BlockDense):
		n.Block = unet.Block(word)
	case string(unet.SkipConcat), string(unet.SkipAdd), string(unet.SkipNone), string(unet.SkipNested):
		n.Skip = unet.Skip(word)
	case "attention":
		n.Attention = true
	case string(unet.UpBilinear):
		n.Up = unet.UpBilinear
	case "nonorm":
		n.Norm = unet.NormNone
	default:
		for prefix, field := range map[string]*int{"convs": &n.Convs, "growth": &n.Growth, "depth": &n.Depth} {
			if digits, ok := strings.CutPrefix(word, prefix); ok {
				if i, err := strconv.Atoi(digits); err == nil && i > 0 {
					*field = i
					return nil
				}
			}
		}
		return fmt.Errorf("study: %w: variant %.60q: %.40q is not one of plain, residual, preact, dense, concat, add, none, nested, attention, bilinear, nonorm, convsN, growthN, depthN",
			segd.ErrOption, v.Name, word)
	}
	return nil
}

// reference is the variant with which the others are compared.
const reference = "plain-concat"

// DefaultVariants returns each kind of block with concatenating skips, each kind of
// long skip with plain blocks, and deep networks without long skips: with and without
// short skips, and with and without normalisation.
func DefaultVariants() []Variant {
	names := []string{reference, "residual-concat", "preact-concat", "dense-concat", "plain-add", "plain-none", "plain-nested",
		"plain-none-convs6", "residual-none-convs6", "plain-none-convs6-nonorm", "residual-none-convs6-nonorm"}
	list := make([]Variant, len(names))
	for i, name := range names {
		v, err := ParseVariant(name)
		if err != nil {
			panic(err) // a mistake in the list above
		}
		list[i] = v
	}
	return list
}

// sweepKinds lists the networks that the depth sweep deepens.
var sweepKinds = []string{"plain-none", "residual-none", reference}

// sweepVariants lists the networks of the sweep, smallest first. Depths and
// convolutions that are invalid or not in ascending order are segd.ErrOption.
func (o Options) sweepVariants() ([]Variant, error) {
	for _, numbers := range [][]int{o.SweepDepths, o.SweepConvs} {
		for i, n := range numbers {
			if i > 0 && n <= numbers[i-1] {
				return nil, fmt.Errorf("study: %w: the sweep's %v are not in ascending order", segd.ErrOption, numbers)
			}
		}
		if len(numbers) == 0 {
			return nil, fmt.Errorf("study: %w: a sweep without depths or convolutions", segd.ErrOption)
		}
	}
	var list []Variant
	for _, convs := range o.SweepConvs {
		for _, depth := range o.SweepDepths {
			for _, kind := range sweepKinds {
				v, err := ParseVariant(sweepName(kind, depth, convs))
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
		}
	}
	return list, nil
}

func sweepName(kind string, depth, convs int) string {
	return fmt.Sprintf("%s-depth%d-convs%d", kind, depth, convs)
}

// kind is a choice from the literature, for the page.
type kind struct{ name, what, source string }

var blockKinds = []kind{
	{string(unet.BlockPlain), "convolutions one after the other", "Ronneberger et al. 2015"},
	{string(unet.BlockResidual), "short skips: a shortcut is added over each two convolutions", "He et al. 2016a"},
	{string(unet.BlockPreact), "the same with normalisation and ReLU before the convolutions", "He et al. 2016b"},
	{string(unet.BlockDense), "short skips: each convolution reads all before it, side by side", "Huang et al. 2017"},
}

var skipKinds = []kind{
	{string(unet.SkipConcat), "long skips: the decoder reads the encoder's channels next to its own", "Ronneberger et al. 2015"},
	{string(unet.SkipAdd), "long skips: it reads their sum", "Chaurasia and Culurciello 2017"},
	{string(unet.SkipNone), "no long skips: everything passes the bottleneck", "an encoder and a decoder"},
	{string(unet.SkipNested), "long skips through blocks of their own (UNet++)", "Zhou et al. 2018"},
}
