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
	// Up and Groups, and Head, which no foreign file says. The others are ignored.
	Network unet.Config
	// Epsilon is what batch normalisation adds to the variance where the file
	// does not say; 0 means PyTorch's 1e-5, which is segd's own.
	Epsilon float64
}

// Net is a network that was read.
type Net struct {
	Params *unet.Params
	// Source says in words what the file was.
	Source string
	// Manifest is that of a model that segd wrote as ONNX, else nil.
	Manifest *models.Manifest
}

// Import reads a network from a file whose format is detected from its content:
// an archive of torch.save, safetensors, or ONNX. b is not kept. The errors are
// segd.ErrFormat for a damaged file, segd.ErrUnsupported for one that holds
// something else than a network of segd's, and segd.ErrTooLarge.
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
