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
		Short: "Write a model as a directory of its own, or as an ONNX file",
		Long: "Write model.json and weights.safetensors, with the names and the layout that\n" +
			"PyTorch has them in, or with --format onnx one file: images of any number and\n" +
			"size in, normalised as the model's preprocessing says, logits or values out.",
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
			man := c.merge(m.Manifest)
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
	f.StringVarP(&s.out, "out", "o", "", "directory to write, or ONNX file")
	f.StringVar(&s.dir, "models", "", "directory with further models")
	f.Var(newChoice(&s.format, "safetensors", "safetensors", "onnx"), "format", "form of the model")
	f.BoolVar(&s.half, "half", false, "weights of half precision, but for vectors; safetensors only")
	f.BoolVar(&s.overwrite, "overwrite", false, "replace a model that is there")
	f.StringVar(&s.card, "card", "", "JSON file with what model.json shall say besides: title, description, classes, data, metrics")
	_ = cmd.MarkFlagRequired("out") // fails for unknown names only
	return cmd
}

// onnx writes the model as an ONNX file.
func (s *exportSettings) onnx(man models.Manifest, p *unet.Params) error {
	if s.half {
		return optionError("--half is for --format safetensors: ONNX files have weights of single precision")
	}
	if info, err := os.Stat(s.out); err == nil && info.IsDir() {
		return optionError("--out %s is a directory, want the name of an ONNX file", s.out)
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
