// Package exchange carries networks to the files of other programs.
//
//	file, err := exchange.ONNX(manifest, params)
//
// docs/import-export.md has the mappings for users.
package exchange

import (
	"fmt"

	"segd"
)

func bad(format string, a ...any) error {
	return fmt.Errorf("exchange: %w: %s", segd.ErrFormat, fmt.Sprintf(format, a...))
}

func refuse(format string, a ...any) error {
	return fmt.Errorf("exchange: %w: %s", segd.ErrUnsupported, fmt.Sprintf(format, a...))
}
