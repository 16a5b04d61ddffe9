package exchange

import (
	"segd/unet"
)

// factsOfGraph reads the sizes from a graph: widths from what is pooled, and
// the number of convolutions from those before the first pooling.
func factsOfGraph(out, image *value, head unet.Head) (facts, unet.Config, error) {
	f := facts{channels: image.shape[1], classes: heads[head].channels(out.shape[1]), head: head, attention: []bool{false}}
	var told unet.Config
	all := below(out)
	var first, ups *value
	pooled, doubled := map[int]int{}, 0 // width by height; number of ways up
	for _, v := range all {
		switch v.op {
		case "MaxPool":
			if pooled[v.in[0].shape[2]] = v.in[0].shape[1]; v.in[0].shape[2] == image.shape[2] {
				first = v.in[0]
			}
		case "Sigmoid":
			f.attention = []bool{true}
		case "ConvTranspose", "Resize":
			doubled++
			told.Up = map[string]unet.Up{"ConvTranspose": unet.UpTransposed, "Resize": unet.UpBilinear}[v.op]
			if ups == nil || v.in[0].shape[2] < ups.in[0].shape[2] {
				ups = v
			}
		case "BatchNormalization":
			told.Norm = unet.NormBatch
		case "InstanceNormalization":
			told.Norm = unet.NormInstance
		case "GroupNormalization":
			told.Norm, told.Groups = unet.NormGroup, v.groups
		}
	}
	if told.Norm == "" {
		told.Norm = unet.NormNone
	}
	for h := image.shape[2]; pooled[h] > 0; h /= 2 {
		f.widths = append(f.widths, pooled[h])
	}
	if len(f.widths) == 0 || first == nil || ups == nil || len(pooled) != len(f.widths) {
		return f, told, refuse("not a U-Net: it halves the resolution %d times without doubling it as often", len(pooled))
	}
	f.skips = []unet.Skip{unet.SkipConcat, unet.SkipAdd, unet.SkipNone}
	if doubled > len(f.widths) {
		f.skips = []unet.Skip{unet.SkipNested}
	}
	bottom := ups.in[0]
	if bottom.op == "Conv" && bottom.in[1].shape[2] == 1 {
		bottom = bottom.in[0] // the channels are halved before the interpolation
	}
	f.widths = append(f.widths, bottom.shape[1])
	for _, v := range below(first) {
		if v.op == "Conv" && v.in[1].shape[2] == 3 {
			if f.convs++; v.in[0] == image {
				f.growth = v.shape[1]
			}
		}
	}
	return f, told, nil
}

// below lists v and everything that it is computed from, each once, inputs
// first.
func below(v *value) []*value {
	var list []*value
	seen := map[*value]bool{}
	// Use an explicit stack: a graph may be as deep as its number of nodes.
	type visit struct {
		v    *value
		next int
	}
	stack := []visit{{v: v}}
	seen[v] = true
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next == len(top.v.in) {
			list = append(list, top.v)
			stack = stack[:len(stack)-1]
			continue
		}
		in := top.v.in[top.next]
		if top.next++; in != nil && !seen[in] {
			seen[in] = true
			stack = append(stack, visit{v: in})
		}
	}
	return list
}
