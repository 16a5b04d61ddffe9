package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the release; a build may set it with -ldflags "-X main.version=…".
var version = "0.1.0-dev"

// versionText names the release, the commit where the build recorded one, the
// Go release and the platform.
func versionText() string {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				commit = " " + s.Value[:12]
			}
		}
	}
	return fmt.Sprintf("segd %s%s %s %s/%s", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the platform and the kernel set in use",
		Args:  cobra.NoArgs,
		RunE: a.do(func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.stdout, "%s kernel %s\n", versionText(), a.kernels().Name())
			return err
		}),
	}
}
