// Package exchange converts networks to and from the files of other programs:
// ONNX in both directions, and PyTorch state dicts, in safetensors or in
// archives of torch.save.
//
//	file, err := exchange.ONNX(manifest, params)
//	net, err := exchange.Import(file, exchange.Options{})
//
// A file must hold a network that unet.Config describes. ONNX says how layers
// are connected. The graph is simplified (simplify.go, operators.go) and then
// matched node by node (match.go). A state dict has only names and shapes, so
// its names must be known (statedict.go). Anything that does not fit is refused
// with the name of the node or tensor and the reason; nothing that would change
// the output is guessed.
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
