// Command segd segments medical images: over HTTP, over whole folders, and with
// models trained on your own labelled images.
//
//	segd serve                                        # http://127.0.0.1:8080/
//	segd segment -i scans -o out -m nuclei
//	segd check -d data
//	segd train -d data -o my-model --time 20m
//	segd evaluate -d data -m my-model
//
// Results go to standard output, everything else to standard error. The exit
// status is 0 on success, 1 if the command failed, 2 for wrong usage, and 3 if
// some inputs failed; the outputs of the others are complete. A flag that is not
// given takes its value from the environment (--max-body from SEGD_MAX_BODY), or
// else its default.
//
// segd is research software, not a medical device.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"segd"
	"segd/internal/walk"
	"segd/unet"
)

// Exit statuses; PRODUCT promises them to scripts.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitPartial = 3 // or, of segd check, faults
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default action is back, so that a second one
	// ends a process that takes too long to finish what runs.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run carries out one command line and returns its exit status. Cancelling
// ctx is what an interrupt does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdout: stdout, stderr: stderr}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	code := a.exitCode(err)
	a.report(cmd, err, code)
	return code
}

// app is what the commands of one run share.
type app struct {
	stdout, stderr io.Writer

	started  bool // a command's own work began; errors before that are of usage
	progress progressMode
	threads  int
	kernel   string // the name of the kernel set to take

	exact     bool
	precision string // of inference
}

// partialError says that some inputs failed and the rest is done.
type partialError struct {
	failed, total int
	stopped       bool // --fail-fast left inputs undone
}

func (e *partialError) Error() string {
	if e.stopped {
		return fmt.Sprintf("stopped after %d of %d inputs failed", e.failed, e.total)
	}
	return fmt.Sprintf("%d of %d inputs failed", e.failed, e.total)
}

func (a *app) exitCode(err error) int {
	var partial *partialError
	var faults *faultsError
	switch {
	case errors.As(err, &partial), errors.As(err, &faults):
		return exitPartial
	case !a.started, errors.Is(err, segd.ErrOption):
		return exitUsage
	}
	return exitFailed
}

// report writes the error that ended the run, in the form --progress asks for.
func (a *app) report(cmd *cobra.Command, err error, code int) {
	var lines []string // an error may have several
	for _, line := range strings.Split(strings.TrimSpace(err.Error()), "\n") {
		lines = append(lines, walk.Printable(line))
	}
	text := strings.Join(lines, "\n")
	if errors.Is(err, context.Canceled) {
		text = strings.ReplaceAll(text, context.Canceled.Error(), "interrupted")
	}
	if a.progress == progressJSON {
		_ = json.NewEncoder(a.stderr).Encode(map[string]any{"event": "error", "error": text, "exit": code})
		return
	}
	say(a.stderr, "segd: %s\n", text)
	if code == exitUsage && !a.started {
		say(a.stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
	}
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "segd",
		Short: "Segment medical images",
		Long: "segd segments medical images: over HTTP, over whole folders, and with models\n" +
			"trained on your own labelled images. Research use only: segd is not a medical\n" +
			"device.\n\n" +
			"A flag that is not given takes its value from the environment: --max-body\n" +
			"from SEGD_MAX_BODY. Exit status: 0 success, 1 failure, 2 wrong usage, 3 some\n" +
			"inputs failed and the rest succeeded.",
		Version:       versionText(),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags(), os.LookupEnv); err != nil {
				return err
			}
			if err := a.checkKernel(); err != nil {
				return err
			}
			return a.checkRounding()
		},
		RunE: needsCommand,
	}
	root.PersistentFlags().Var(newChoice(&a.kernel, unet.FastestKernels, unet.KernelNames()...), "kernel", "CPU kernels to use")
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		newServe(a),
		newSegment(a),
		newCheck(a),
		newTrain(a),
		newEvaluate(a),
		newModel(a),
		newInspect(a),
		newStudy(a),
		newBench(a),
		newVersion(a),
	)
	return root
}

// needsCommand is what a command that only groups others does.
func needsCommand(cmd *cobra.Command, _ []string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return fmt.Errorf("%s needs a command: %s", cmd.CommandPath(), strings.Join(names, ", "))
}

// do marks the end of usage errors: what f returns is a failure of the work,
// unless it is of kind segd.ErrOption.
func (a *app) do(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.started = true
		return f(cmd, args)
	}
}
