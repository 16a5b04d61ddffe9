package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"segd/internal/exchange"
	"segd/models"
	"segd/unet"
)

// exportSettings are the flags of segd model export.
type exportSettings struct {
	dir, format, out, card string
	half, overwrite        bool
}

func newModelExport(a *app) *cobra.Command {
	var s exportSettings
	cmd := &cobra.Command{
		Use:   "export MODEL -o DIR|FILE",
		Short: "Write a model to a directory or an ONNX file",
		Long: "Write model.json and weights.safetensors, with PyTorch's tensor names and layout.\n" +
			"With --format onnx, write one file instead: its input is a batch of images of any\n" +
			"size, normalised as the model's preprocessing describes; its output is logits or\n" +
			"values.",
		Args: cobra.ExactArgs(1),
		RunE: a.do(func(_ *cobra.Command, args []string) error {
			m, err := a.resolveModel(args[0], s.dir)
			if err != nil {
				return err
			}
			p, err := m.Params()
			if err != nil {
				return err
			}
			c, err := readCard(s.card)
			if err != nil {
				return err
			}
			man := c.Merge(m.Manifest)
			if s.format == "onnx" {
				return s.onnx(man, p)
			}
			lock, err := takeModelFolder(s.out, s.overwrite)
			if err != nil {
				return err
			}
			defer lock.Release()
			return models.Save(s.out, man, p, s.half)
		}),
	}
	f := cmd.Flags()
	f.StringVarP(&s.out, "out", "o", "", "directory or ONNX file to write")
	f.StringVar(&s.dir, "models", "", "directory of additional models")
	f.Var(newChoice(&s.format, "safetensors", "safetensors", "onnx"), "format", "model format")
	f.BoolVar(&s.half, "half", false, "store weight matrices in half precision; safetensors only")
	f.BoolVar(&s.overwrite, "overwrite", false, "replace an existing model")
	f.StringVar(&s.card, "card", "", "JSON file to merge into model.json: title, description, classes, data, metrics")
	_ = cmd.MarkFlagRequired("out") // fails for unknown names only
	return cmd
}

// onnx writes the model as an ONNX file.
func (s *exportSettings) onnx(man models.Manifest, p *unet.Params) error {
	if s.half {
		return optionError("--half needs --format safetensors: ONNX files store single precision")
	}
	if info, err := os.Stat(s.out); err == nil && info.IsDir() {
		return optionError("--out %s is a directory, want a file name for --format onnx", s.out)
	}
	if err := free(s.out, s.overwrite); err != nil {
		return err
	}
	b, err := exchange.ONNX(man, p)
	if err != nil {
		return err
	}
	return writeFile(s.out, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}
