package exchange

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"segd"
	"segd/internal/tensors"
	"segd/unet"
)

// maxWeights limits the numbers in a network, as package models limits its
// file.
const maxWeights = 1 << 27

// scheme is a naming scheme for the tensors of a U-Net.
type scheme struct {
	name string
	// first is the name of the first convolution. A prefix before it in a file,
	// such as "module.", is a prefix of every name.
	first string
	// rename returns segd's name for a name of the scheme, or "" if there is
	// none. depth is the number of pooling steps.
	rename func(name string, depth int) string
	// depth returns the depth of a network with these names.
	depth func(names []string) int
	// upFirst says that the decoder's convolutions read the upsampled channels
	// before the skip.
	upFirst bool
}

var schemes = []scheme{
	{
		name: "segd", first: "enc.0.conv1.weight",
		rename: func(name string, _ int) string { return name },
		depth:  func(names []string) int { return highest(names, `^enc\.(\d+)\.`) + 1 },
	},
	{
		name: "milesial/Pytorch-UNet", first: "inc.double_conv.0.weight",
		rename: milesial,
		depth:  func(names []string) int { return highest(names, `^down(\d+)\.`) },
	},
	{
		name: "mateuszbuda/brain-segmentation-pytorch", first: "encoder1.enc1conv1.weight",
		rename:  brain,
		depth:   func(names []string) int { return highest(names, `^encoder(\d+)\.`) },
		upFirst: true,
	},
}

// highest returns the largest number that pattern finds in names, or -1.
func highest(names []string, pattern string) int {
	most, re := -1, regexp.MustCompile(pattern)
	for _, n := range names {
		if m := re.FindStringSubmatch(n); m != nil {
			most = max(most, number(m[1]))
		}
	}
	return most
}

// number returns the number of a level. Networks have at most two digits.
func number(digits string) int {
	n := 0
	for _, d := range digits[:min(len(digits), 3)] {
		n = 10*n + int(d-'0')
	}
	return n
}

var (
	milesialName = regexp.MustCompile(`^(inc|down(\d+)\.maxpool_conv\.1|up(\d+)\.conv)\.double_conv\.([0134])\.(\w+)$`)
	milesialUp   = regexp.MustCompile(`^up(\d+)\.up\.(weight|bias)$`)
	brainBlock   = regexp.MustCompile(`^(?:encoder(\d+)\.enc|decoder(\d+)\.dec|bottleneck\.bottleneck)(\d*?)((?:conv|norm)[12])\.(\w+)$`)
	brainUp      = regexp.MustCompile(`^upconv(\d+)\.(weight|bias)$`)
)

// milesial converts names of github.com/milesial/Pytorch-UNet,
// unet/unet_parts.py.
func milesial(name string, depth int) string {
	if rest, ok := strings.CutPrefix(name, "outc.conv."); ok {
		return "head." + rest
	}
	if m := milesialUp.FindStringSubmatch(name); m != nil {
		return fmt.Sprintf("up.%d.%s", depth-number(m[1]), m[2])
	}
	m := milesialName.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	block := "enc.0"
	switch {
	case m[2] != "" && number(m[2]) == depth:
		block = "bottleneck"
	case m[2] != "":
		block = fmt.Sprint("enc.", number(m[2]))
	case m[3] != "":
		block = fmt.Sprint("dec.", depth-number(m[3]))
	}
	part := map[string]string{"0": "conv1", "1": "norm1", "3": "conv2", "4": "norm2"}[m[4]]
	return block + "." + part + "." + m[5]
}

// brain converts names of github.com/mateuszbuda/brain-segmentation-pytorch,
// unet.py.
func brain(name string, _ int) string {
	if rest, ok := strings.CutPrefix(name, "conv."); ok {
		return "head." + rest
	}
	if m := brainUp.FindStringSubmatch(name); m != nil {
		return fmt.Sprintf("up.%d.%s", number(m[1])-1, m[2])
	}
	m := brainBlock.FindStringSubmatch(name)
	switch {
	case m == nil || m[3] != m[1]+m[2]:
		return ""
	case m[1] != "":
		return fmt.Sprintf("enc.%d.%s.%s", number(m[1])-1, m[4], m[5])
	case m[2] != "":
		return fmt.Sprintf("dec.%d.%s.%s", number(m[2])-1, m[4], m[5])
	}
	return fmt.Sprintf("bottleneck.%s.%s", m[4], m[5])
}

// weight is a tensor to be imported.
type weight struct {
	from  string // its name in the file
	shape []int
	data  []float32
}

// stateDict makes a network from a state dict. told holds fields that names and
// shapes leave open.
func stateDict(list []tensors.Tensor, o Options) (*Net, error) {
	dict, s, err := rename(list)
	if err != nil {
		return nil, err
	}
	if err := absorb(dict, o); err != nil {
		return nil, err
	}
	c, err := settle(dict, s, o.Network)
	if err != nil {
		return nil, err
	}
	if s.upFirst {
		swapSources(dict, c)
	}
	p := unet.NewParams(c, 0)
	for name, w := range dict {
		t, _ := p.Get(name)
		copy(t.Data().([]float32), w.data)
	}
	return &Net{Params: p, Source: "PyTorch state dict with the names of " + s.name}, nil
}

// rename finds the scheme of a state dict and gives its tensors segd's names.
func rename(list []tensors.Tensor) (map[string]weight, scheme, error) {
	s, prefix, ok := schemeOf(list)
	if !ok {
		first := ""
		if len(list) > 0 {
			first = list[0].Name
		}
		var known []string
		for _, s := range schemes {
			known = append(known, s.name)
		}
		return nil, s, refuse("%d tensors, the first named %.80q, want the names of %s; for other networks, import an ONNX export",
			len(list), first, strings.Join(known, ", "))
	}
	var names []string
	for _, t := range list {
		names = append(names, strings.TrimPrefix(t.Name, prefix))
	}
	depth, dict, left := s.depth(names), map[string]weight{}, maxWeights
	for i, t := range list {
		if strings.HasSuffix(t.Name, ".num_batches_tracked") {
			continue
		}
		name := s.rename(names[i], depth)
		if name == "" || !strings.HasPrefix(t.Name, prefix) {
			return nil, s, refuse("tensor %.80q is unknown in a network with the names of %s", t.Name, s.name)
		}
		if _, twice := dict[name]; twice {
			return nil, s, bad("tensor %.80q occurs twice", t.Name)
		}
		// A file may show the same bytes as many tensors.
		if n, ok := tensors.Elements(t.Shape, left); ok {
			left -= n
		} else {
			return nil, s, fmt.Errorf("exchange: %w: more than %d weights", segd.ErrTooLarge, maxWeights)
		}
		v, err := t.Floats()
		if err != nil {
			return nil, s, fmt.Errorf("exchange: %w", err)
		}
		dict[name] = weight{from: t.Name, shape: t.Shape, data: v}
	}
	return dict, s, nil
}

func schemeOf(list []tensors.Tensor) (s scheme, prefix string, ok bool) {
	for _, t := range list {
		for _, s := range schemes {
			if prefix, ok := strings.CutSuffix(t.Name, s.first); ok && (prefix == "" || strings.HasSuffix(prefix, ".")) {
				return s, prefix, true
			}
		}
	}
	return scheme{}, "", false
}

// absorb converts a state dict to segd's form. A bias before batch
// normalisation goes into its running mean, another epsilon into its scale. A
// single logit, meant for the logistic function, becomes the second of two.
func absorb(dict map[string]weight, o Options) error {
	for _, name := range slices.Sorted(maps.Keys(dict)) {
		block, part, _ := cutLast(strings.TrimSuffix(name, ".running_var"))
		if !strings.HasSuffix(name, ".running_var") {
			continue
		}
		norm := block + "." + part
		n := batchNorm{gamma: dict[norm+".weight"].data, beta: dict[norm+".bias"].data, mean: dict[norm+".running_mean"].data, variance: dict[name].data}
		conv := block + "." + strings.Replace(part, "norm", "conv", 1) + ".bias"
		bias, has := dict[conv]
		if has {
			delete(dict, conv)
		}
		if err := n.normalise(o.Epsilon, bias.data); err != nil {
			return bad("tensors of %s: %v", dict[name].from, err)
		}
	}
	return heads[o.Network.Head].absorb(dict)
}

func cutLast(name string) (before, after string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

// batchNorm holds the tensors of a batch normalisation.
type batchNorm struct{ gamma, beta, mean, variance []float32 }

// normalise changes n so that, with segd's epsilon and without the preceding
// bias, it gives the same result as with epsilon and bias. bias may be nil.
func (n batchNorm) normalise(epsilon float64, bias []float32) error {
	c := len(n.variance)
	if len(n.gamma) != c || len(n.beta) != c || len(n.mean) != c || bias != nil && len(bias) != c {
		return fmt.Errorf("a normalisation of %d channels has %d scales, %d shifts, %d means", c, len(n.gamma), len(n.beta), len(n.mean))
	}
	for i, v := range n.variance {
		if v < 0 || float64(v)+epsilon <= 0 {
			return fmt.Errorf("variance %d is not positive", i)
		}
		if epsilon != unet.NormEps {
			n.gamma[i] = float32(float64(n.gamma[i]) * math.Sqrt((float64(v)+unet.NormEps)/(float64(v)+epsilon)))
		}
		if bias != nil {
			n.mean[i] -= bias[i]
		}
	}
	return nil
}

// settle finds the one network that has the tensors of dict.
func settle(dict map[string]weight, s scheme, told unet.Config) (unet.Config, error) {
	if _, ok := dict["up.0.weight"]; !ok && s.name == "milesial/Pytorch-UNet" {
		return told, refuse("a network of %s without transposed convolutions: it interpolates with aligned corners, which segd does not support", s.name)
	}
	if told.Norm == unet.NormGroup && told.Groups == 0 {
		return told, fmt.Errorf("exchange: %w: group normalisation needs --groups", segd.ErrOption)
	}
	f, err := factsOf(dict)
	if err != nil {
		return told, err
	}
	f.head = told.Head
	var fit []unet.Config
	reason, best := "", -1
	for _, c := range f.candidates(told) {
		right, why := compare(dict, c)
		switch {
		case why == "":
			fit = append(fit, c)
		case right > best:
			best, reason = right, why
		}
	}
	switch len(fit) {
	case 1:
		return fit[0], nil
	case 0:
		if reason == "" {
			reason = fmt.Sprintf("levels of %v channels, want each twice as wide as the one above, or constant from some level on", f.widths)
		}
		return told, refuse("no supported network fits: %s", reason)
	}
	return told, refuse("names and shapes fit %d networks: choose one with %s", len(fit), fieldsThatDiffer(fit))
}

// compare counts the tensors of c that dict has. why describes the first
// missing, misshapen or surplus tensor.
func compare(dict map[string]weight, c unet.Config) (right int, why string) {
	all := c.Tensors()
	for _, t := range all {
		w, ok := dict[t.Name]
		switch {
		case !ok:
			return right, fmt.Sprintf("%s is missing", t.Name)
		case !slices.Equal(w.shape, t.Shape):
			return right, fmt.Sprintf("tensor %s has shape %v, want %v", w.from, w.shape, t.Shape)
		}
		right++
	}
	if len(all) != len(dict) {
		known := map[string]bool{}
		for _, t := range all {
			known[t.Name] = true
		}
		for _, name := range slices.Sorted(maps.Keys(dict)) {
			if !known[name] {
				return right, fmt.Sprintf("tensor %s is not part of the network", dict[name].from)
			}
		}
	}
	return right, ""
}

// factsOf reads the sizes from the tensors of the encoder.
func factsOf(dict map[string]weight) (facts, error) {
	var f facts
	axis := func(name string, i int) int {
		w, ok := dict[name]
		if !ok || len(w.shape) != 4 {
			return 0
		}
		return w.shape[i]
	}
	width := func(block string) int {
		if w := axis(block+".transition.conv.weight", 0); w > 0 {
			return w
		}
		return axis(block+".conv1.weight", 0)
	}
	for l := 0; l < 16 && width(fmt.Sprint("enc.", l)) > 0; l++ {
		f.widths = append(f.widths, width(fmt.Sprint("enc.", l)))
	}
	f.widths = append(f.widths, width("bottleneck"))
	f.channels, f.classes, f.growth = axis("enc.0.conv1.weight", 1), axis("head.weight", 0), axis("enc.0.conv1.weight", 0)
	for f.convs < 64 && axis(fmt.Sprintf("enc.0.conv%d.weight", f.convs+1), 0) > 0 {
		f.convs++
	}
	if len(f.widths) < 2 || slices.Contains(f.widths, 0) || f.channels == 0 || f.classes == 0 {
		return f, refuse("not a U-Net: encoder, bottleneck or head is missing")
	}
	return f, nil
}

// swapSources swaps the two sources of the decoder's first convolutions.
func swapSources(dict map[string]weight, c unet.Config) {
	for l := range c.Depth {
		w := dict[fmt.Sprintf("dec.%d.conv1.weight", l)]
		if c.Skip != unet.SkipConcat || len(w.shape) != 4 {
			continue
		}
		row := len(w.data) / w.shape[0]
		for o := range w.shape[0] {
			r := w.data[o*row:][:row]
			copy(r, append(slices.Clone(r[row/2:]), r[:row/2]...))
		}
	}
}
