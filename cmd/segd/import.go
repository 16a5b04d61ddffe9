package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"segd"
	"segd/internal/engine/folder"
	"segd/internal/exchange"
	"segd/models"
	"segd/preprocess"
	"segd/unet"
)

// maxImport bounds the file of a network.
const maxImport = 1 << 30

// importSettings are the flags of segd model import.
type importSettings struct {
	out, name, card   string
	classes           []string
	normalise         string
	clipLow, clipHigh float64
	window            []float64
	mean, deviation   float64
	spacing, epsilon  float64
	block, skip, norm string
	head              string
	groups            int
	half, overwrite   bool
}

func newModelImport(a *app) *cobra.Command {
	var s importSettings
	cmd := &cobra.Command{
		Use:   "import FILE -o DIR",
		Short: "Convert a PyTorch or ONNX network to a model",
		Long: "Convert a U-Net to a model directory. FILE is a PyTorch state dict, written by\n" +
			"torch.save or safetensors, or an ONNX file. segd executes no code from it. Unless\n" +
			"segd wrote it, the file does not say how images are preprocessed: set the flags to\n" +
			"what the network was trained with.",
		Args: cobra.ExactArgs(1),
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			lock, err := takeModelFolder(s.out, s.overwrite)
			if err != nil {
				return err
			}
			defer lock.Release()
			net, err := s.read(args[0])
			if err != nil {
				return err
			}
			man, err := s.manifest(net, cmd.Flags().Changed)
			if err != nil {
				return err
			}
			if err := models.Save(s.out, man, net.Params, s.half); err != nil {
				return err
			}
			say(a.stderr, "%s: %s, %d channels, %d outputs, %s\n", net.Source, s.out, man.Network.Channels, man.Network.Classes, man.Network)
			return nil
		}),
	}
	s.flags(cmd)
	return cmd
}

// flags defines the flags.
func (s *importSettings) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&s.out, "out", "o", "", "directory to write")
	f.StringVar(&s.name, "name", "", "model name (default: the name of the file; for ONNX files from segd, the original name)")
	f.StringVar(&s.card, "card", "", "JSON file to merge into model.json: title, description, classes, data, metrics")
	f.StringSliceVar(&s.classes, "classes", nil, "names of the foreground classes, index 1 first")
	f.Var(newChoice(&s.normalise, preprocess.MinMax, preprocess.MinMax, preprocess.ZScore, preprocess.Fixed), "normalise", "how to normalise pixels: minmax and zscore by each image, fixed by --window")
	f.Float64Var(&s.clipLow, "clip-low", 0, "lower percentile that values are clipped to before normalisation")
	f.Float64Var(&s.clipHigh, "clip-high", 100, "upper percentile that values are clipped to before normalisation")
	f.Float64SliceVar(&s.window, "window", nil, "LOW,HIGH for --normalise fixed: values are clipped to this range and mapped to 0 to 1; 0,255 divides bytes by 255")
	f.Float64Var(&s.mean, "mean", 0, "for --normalise fixed: subtract this instead of LOW, in the unit of the image")
	f.Float64Var(&s.deviation, "deviation", 0, "for --normalise fixed: divide by this instead of HIGH - LOW")
	f.Float64Var(&s.spacing, "spacing", 0, "pixel spacing in mm to resample images to (0: do not resample)")
	f.Float64Var(&s.epsilon, "epsilon", unet.NormEps, "epsilon of batch normalisation, if the state dict was trained with another than PyTorch's default")
	f.Var(newChoice(&s.block, "", string(unet.BlockPlain), string(unet.BlockResidual), string(unet.BlockPreact), string(unet.BlockDense)),
		"block", "building block of a level, if the state dict does not determine it")
	f.Var(newChoice(&s.skip, "", string(unet.SkipConcat), string(unet.SkipAdd), string(unet.SkipNone), string(unet.SkipNested)),
		"skip", "long skip connections, if the state dict does not determine them")
	f.Var(newChoice(&s.norm, "", string(unet.NormBatch), string(unet.NormInstance), string(unet.NormGroup), string(unet.NormNone)),
		"norm", "normalisation layers, if the state dict does not determine them")
	addHead(f, &s.head, "", "what the network predicts: regression for a value per pixel (default: classes)")
	f.IntVar(&s.groups, "groups", 0, "number of groups for --norm group")
	f.BoolVar(&s.half, "half", false, "store weight matrices in half precision")
	f.BoolVar(&s.overwrite, "overwrite", false, "replace an existing model")
	_ = cmd.MarkFlagRequired("out") // fails for unknown names only
}

// read reads the network.
func (s *importSettings) read(path string) (*exchange.Net, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, folder.NotThere(err)
	}
	if info.IsDir() {
		return nil, optionError("%s is a directory, want a file", path)
	}
	if info.Size() > maxImport {
		return nil, fmt.Errorf("%w: %s has %d bytes, limit %d", segd.ErrTooLarge, path, info.Size(), int64(maxImport))
	}
	if !(s.epsilon > 0) {
		return nil, optionError("--epsilon %v, want more than 0", s.epsilon)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	net, err := exchange.Import(b, exchange.Options{
		Epsilon: s.epsilon,
		Network: unet.Config{Block: unet.Block(s.block), Skip: unet.Skip(s.skip), Norm: unet.Norm(s.norm), Groups: s.groups, Head: unet.Head(s.head)},
	})
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	if s.name == "" && net.Manifest == nil {
		s.name = models.NameFrom(path[:len(path)-len(filepath.Ext(path))])
	}
	return net, nil
}

// manifest says what the model is: what segd's own file says of it, then what
// the flags that were given say, then the card.
func (s *importSettings) manifest(net *exchange.Net, given func(flag string) bool) (models.Manifest, error) {
	window, err := s.fixed(given)
	if err != nil {
		return models.Manifest{}, err
	}
	card, err := readCard(s.card)
	if err != nil {
		return models.Manifest{}, err
	}
	man, err := net.Describe(exchange.Description{
		Name: s.name, Classes: s.classes, Card: card,
		Recipe:    preprocess.Recipe{Normalise: s.normalise, Window: window, ClipLow: s.clipLow, ClipHigh: s.clipHigh, SpacingMM: s.spacing},
		Normalise: given("normalise"), Clip: given("clip-low") || given("clip-high"), Spacing: given("spacing"),
	})
	if err != nil && len(s.classes) > 0 {
		err = fmt.Errorf("--classes: %w", err)
	}
	return man, err
}

// fixed is the window of --normalise fixed; the zero value of others, with which
// its flags are refused.
func (s *importSettings) fixed(given func(flag string) bool) (preprocess.Window, error) {
	if s.normalise != preprocess.Fixed {
		for _, flag := range []string{"window", "mean", "deviation"} {
			if given(flag) {
				return preprocess.Window{}, optionError("--%s needs --normalise fixed", flag)
			}
		}
		return preprocess.Window{}, nil
	}
	if len(s.window) != 2 || !(s.window[0] < s.window[1]) {
		return preprocess.Window{}, optionError("--window %v, want LOW,HIGH for --normalise fixed, for example 0,255", s.window)
	}
	w := preprocess.Window{Low: s.window[0], High: s.window[1], Mean: s.window[0], Deviation: s.window[1] - s.window[0]}
	if given("mean") {
		w.Mean = s.mean
	}
	if given("deviation") {
		w.Deviation = s.deviation
	}
	if !w.Valid() {
		return w, optionError("--window %v, --mean %v, --deviation %v, want finite numbers and a deviation above 0", s.window, w.Mean, w.Deviation)
	}
	return w, nil
}
