package exchange

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"segd"
	"segd/internal/sniff"
	"segd/internal/tensors"
	"segd/internal/torch"
	"segd/models"
	"segd/unet"
)

// Options are the settings of Import.
type Options struct {
	// Network holds fields that a state dict may leave open, Block, Skip, Norm,
	// Up and Groups, and Head, which no foreign file states. The others are
	// ignored.
	Network unet.Config
	// Epsilon is the epsilon of batch normalisation if the file does not state
	// it. 0 means PyTorch's 1e-5, which is also segd's.
	Epsilon float64
}

// Net is an imported network.
type Net struct {
	Params *unet.Params
	// Source describes the file for people.
	Source string
	// Manifest is the manifest of a model that segd wrote as ONNX, else nil.
	Manifest *models.Manifest
}

// Import reads a network from a file, whose format it detects from the content:
// an archive of torch.save, safetensors, or ONNX. It does not keep b. The
// errors are segd.ErrFormat for a damaged file, segd.ErrUnsupported for a
// network that segd does not support, and segd.ErrTooLarge.
func Import(b []byte, o Options) (*Net, error) {
	if o.Epsilon == 0 {
		o.Epsilon = unet.NormEps
	}
	if what := sniff.Placeholder(b); what != "" {
		return nil, fmt.Errorf("exchange: %w: the file is %s", segd.ErrFormat, what)
	}
	read := tensors.ReadSafetensors
	switch {
	case bytes.HasPrefix(b, []byte("PK")), bytes.HasPrefix(b, []byte{0x80, 0x02}):
		read = torch.Read
	case len(b) > 8 && b[8] == '{' && binary.LittleEndian.Uint64(b) < uint64(len(b)):
	default:
		return fromONNX(b, o.Network.Head)
	}
	list, err := read(b)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	return stateDict(list, o)
}
