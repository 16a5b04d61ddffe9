// Package pythontest finds an interpreter of Python for tests that compare segd with
// programs written in it.
package pythontest

import (
	"os"
	"os/exec"
)

// Find returns an interpreter that can import the modules, given as in "pydicom,
// numpy": the one that SEGD_PYTHON names, or the system's. It is empty where there is
// none; tests are then left out with a message that names SEGD_PYTHON.
func Find(modules string) string {
	for _, p := range []string{os.Getenv("SEGD_PYTHON"), "python3", "/usr/bin/python3"} {
		if p != "" && exec.Command(p, "-c", "import "+modules).Run() == nil {
			return p
		}
	}
	return ""
}
