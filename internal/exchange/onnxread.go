package exchange

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"segd/internal/onnx"
	"segd/models"
	"segd/unet"
)

// fromONNX reads a network from an ONNX file. head applies to files from other
// programs.
func fromONNX(b []byte, head unet.Head) (*Net, error) {
	m, err := onnx.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("exchange: not a PyTorch archive, safetensors or ONNX file: %w", err)
	}
	if m.Prop(propPrefix+"network") != "" {
		return own(m)
	}
	return foreign(m, head)
}

// own reads a file written by ONNX. Its graph must equal that of the network in
// the metadata, node by node, so the weights come back to the bit.
func own(m *onnx.Model) (*Net, error) {
	man, err := manifestOf(m)
	if err != nil {
		return nil, err
	}
	want, err := graphOf(man.Network)
	if err != nil {
		return nil, err
	}
	if len(want.Graph.Nodes) != len(m.Graph.Nodes) {
		return nil, refuse("%d nodes, but the network in its metadata has %d", len(m.Graph.Nodes), len(want.Graph.Nodes))
	}
	for i := range want.Graph.Nodes {
		if n := &m.Graph.Nodes[i]; !reflect.DeepEqual(n, &want.Graph.Nodes[i]) {
			return nil, refuse("%s differs from what segd writes for the network in its metadata", n.Label(i))
		}
	}
	if len(want.Graph.Initializers) != len(m.Graph.Initializers) {
		return nil, refuse("%d tensors, but the network in its metadata has %d", len(m.Graph.Initializers), len(want.Graph.Initializers))
	}
	for i, t := range want.Graph.Initializers {
		got := m.Graph.Initializers[i]
		if got.Name != t.Name || got.Dtype != t.Dtype || !slices.Equal(got.Shape, t.Shape) || t.Data != nil && !slices.Equal(got.Data, t.Data) {
			return nil, refuse("tensor %.80q differs from what segd writes for the network in its metadata", got.Name)
		}
	}
	p := unet.NewParams(man.Network, 0)
	for i, t := range want.Graph.Initializers {
		into, ok := p.Get(t.Name)
		if !ok {
			continue
		}
		v, err := m.Graph.Initializers[i].Floats()
		if err != nil {
			return nil, fmt.Errorf("exchange: %w", err)
		}
		copy(into.Data().([]float32), v)
	}
	return &Net{Params: p, Manifest: &man, Source: "ONNX file of segd"}, nil
}

// manifestOf reads model.json from the metadata.
func manifestOf(m *onnx.Model) (models.Manifest, error) {
	keys := map[string]json.RawMessage{"weights_sha256": json.RawMessage(`"` + strings.Repeat("0", 64) + `"`)}
	for _, p := range m.Metadata {
		if key, ok := strings.CutPrefix(p.Key, propPrefix); ok {
			keys[key] = json.RawMessage(p.Value)
		}
	}
	text, err := json.Marshal(keys)
	if err != nil {
		return models.Manifest{}, bad("the metadata of %s are not JSON", propPrefix)
	}
	man, err := models.ParseManifest(text)
	if err != nil {
		return man, fmt.Errorf("exchange: %w", err)
	}
	return man, nil
}
