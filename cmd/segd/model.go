package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"segd/models"
)

func newModel(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "List, show, export, import, combine and promote models",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
			}
			return needsCommand(cmd, args)
		},
	}
	cmd.AddCommand(newModelList(a), newModelShow(a), newModelExport(a), newModelImport(a),
		newModelEnsemble(a), newModelVerify(a), newModelPromote(a), newModelRollback(a))
	return cmd
}

func newModelList(a *app) *cobra.Command {
	var dir, format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all models",
		Args:  cobra.NoArgs,
		RunE: a.do(func(*cobra.Command, []string) error {
			c, err := a.openCatalogue(dir)
			if err != nil {
				return err
			}
			if format == "json" {
				return a.printJSON(manifests(c.List()))
			}
			t := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
			line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) } // Flush has the error
			line("NAME\tVERSION\tCLASSES\tWHERE\tTITLE\n")
			for _, m := range c.List() {
				line("%s\t%s\t%s\t%s\t%s\n", m.Name, m.Version, m.Outputs(), m.Origin, m.Title)
			}
			return t.Flush()
		}),
	}
	cmd.Flags().StringVar(&dir, "models", "", "directory of additional models")
	cmd.Flags().Var(newChoice(&format, "text", "text", "json"), "format", "output format")
	return cmd
}

func newModelShow(a *app) *cobra.Command {
	var dir, format string
	cmd := &cobra.Command{
		Use:   "show MODEL",
		Short: "Show a model's card",
		Args:  cobra.ExactArgs(1),
		RunE: a.do(func(_ *cobra.Command, args []string) error {
			m, err := a.resolveModel(args[0], dir)
			if err != nil {
				return err
			}
			if format == "json" {
				return a.printJSON(m.Manifest)
			}
			return m.WriteText(a.stdout)
		}),
	}
	cmd.Flags().StringVar(&dir, "models", "", "directory of additional models")
	cmd.Flags().Var(newChoice(&format, "text", "text", "json"), "format", "output format")
	return cmd
}

func manifests(list []*models.Model) []models.Manifest {
	out := make([]models.Manifest, len(list))
	for i, m := range list {
		out[i] = m.Manifest
	}
	return out
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
