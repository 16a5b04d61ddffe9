// Package exchange carries networks to the files of other programs and back:
// ONNX both ways; from PyTorch, state dicts in safetensors and in the archives
// of torch.save.
//
//	file, err := exchange.ONNX(manifest, params)
//	net, err := exchange.Import(file, exchange.Options{})
//
// What a file holds has to be a network that unet.Config describes. ONNX says
// what is connected with what, and that is matched node by node (match.go),
// after what does nothing was taken out (simplify.go, operators.go); a state
// dict says only names and shapes, so that its names must be known ones
// (statedict.go). Whatever does not fit is refused with the name of the node or
// tensor and the reason: nothing is guessed that would change the output.
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
