package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"segd"
	"segd/train/metric"
)

// nnunet is the content of nnU-Net's dataset.json, in the format of version 2, or of
// version 1 and the Medical Segmentation Decathlon.
type nnunet struct {
	channels []string // names, by index
	classes  []string // names of the foreground classes, index 1 first
	ignore   uint8    // label value of ignored pixels; 0: none
}

// maxSpec limits dataset.json, which lists at most one file per case.
const maxSpec = 16 << 20

// readSpec reads dataset.json. It returns nil if there is none.
func readSpec(dir string) (*nnunet, error) {
	path := filepath.Join(dir, "dataset.json")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if info.Size() > maxSpec {
		return nil, fmt.Errorf("train: %w: %s has %d bytes, limit %d", segd.ErrTooLarge, path, info.Size(), maxSpec)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	var doc struct {
		ChannelNames map[string]string          `json:"channel_names"`
		Modality     map[string]string          `json:"modality"`
		Labels       map[string]json.RawMessage `json:"labels"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), &doc); err != nil {
		return nil, fmt.Errorf("train: %w: %s: %v", segd.ErrFormat, path, err)
	}
	spec := &nnunet{}
	names := doc.ChannelNames
	if len(names) == 0 {
		names = doc.Modality
	}
	for i := range len(names) {
		name, ok := names[strconv.Itoa(i)]
		if !ok {
			return nil, fmt.Errorf("train: %w: %s names %d channels, but not number %d", segd.ErrFormat, path, len(names), i)
		}
		spec.channels = append(spec.channels, name)
	}
	if err := spec.readLabels(doc.Labels); err != nil {
		return nil, fmt.Errorf("train: %s: %w", path, err)
	}
	return spec, nil
}

// readLabels reads the classes: {"liver": 1} in version 2, {"1": "liver"} in version
// 1.
func (s *nnunet) readLabels(labels map[string]json.RawMessage) error {
	byIndex := map[int]string{}
	for key, raw := range labels {
		name, index := key, 0
		var text string
		if err := json.Unmarshal(raw, &index); err != nil {
			if json.Unmarshal(raw, &text) != nil {
				return fmt.Errorf("%w: label %q is a region of several classes, want one index", segd.ErrUnsupported, key)
			}
			if index, err = strconv.Atoi(key); err != nil {
				return fmt.Errorf("%w: neither name nor value of label %q is an index", segd.ErrFormat, key)
			}
			name = text
		}
		switch {
		case index < 0 || index >= metric.Ignore:
			return fmt.Errorf("%w: label %q has index %d, want 0 to %d", segd.ErrFormat, key, index, metric.Ignore-1)
		case strings.EqualFold(name, "ignore"):
			s.ignore = uint8(index)
			continue
		}
		if other, twice := byIndex[index]; twice {
			return fmt.Errorf("%w: labels %q and %q both have index %d", segd.ErrFormat, other, name, index)
		}
		byIndex[index] = name
	}
	for i := 1; ; i++ {
		name, ok := byIndex[i]
		if !ok {
			break
		}
		s.classes = append(s.classes, name)
	}
	delete(byIndex, 0)
	if n := len(byIndex); n > len(s.classes) {
		return fmt.Errorf("%w: the indices of %d labels have gaps", segd.ErrFormat, n)
	}
	return nil
}

// calibrated reports whether the only channel is declared as CT, in Hounsfield units.
// nnU-Net too normalises such channels over the whole data set.
func (s *nnunet) calibrated() bool {
	return s != nil && len(s.channels) == 1 && strings.EqualFold(s.channels[0], "CT")
}
