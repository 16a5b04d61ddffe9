// Package torch reads the weights in a file written by PyTorch's torch.save,
// without executing it.
//
//	list, err := torch.Read(file)
//
// Such a file is a zip archive of a pickle and of storages. A pickle is a
// program for a stack machine that may call any Python function; storages are
// the bytes of tensors. The machine here (pickle.go) knows only the few
// functions that a state dict needs, as data, and refuses all others by name.
//
// Read accepts a state dict or a dict that contains one. Other entries, such as
// numbers and strings, are skipped. Files older than PyTorch 1.6, which are not
// archives, are refused.
//
// Limits: a pickle of 4 MiB and 2^18 objects, tensors.MaxTensors storages.
// Memory is allocated only for tensors that are not contiguous, and no more
// than the size of the file.
//
// Source: torch/serialization.py and torch/_utils.py of PyTorch 1.13 and 2.4;
// pickletools.py of Python for the opcodes.
package torch

import (
	"archive/zip"
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"segd"
	"segd/internal/tensors"
)

// maxPickle limits the pickle; that of a large U-Net has about 50 kB.
const maxPickle = 4 << 20

// dictKeys are the keys under which programs put the state dict in a larger
// dict. The first one present is used.
var dictKeys = []string{"state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights"}

func bad(format string, a ...any) error {
	return fmt.Errorf("torch: %w: %s", segd.ErrFormat, fmt.Sprintf(format, a...))
}

func refuse(format string, a ...any) error {
	return fmt.Errorf("torch: %w: %s", segd.ErrUnsupported, fmt.Sprintf(format, a...))
}

// Read returns the tensors of the state dict in a file, in its order.
// Contiguous tensors share b. The errors are segd.ErrFormat,
// segd.ErrUnsupported for anything that a state dict never has, and
// segd.ErrTooLarge.
func Read(b []byte) ([]tensors.Tensor, error) {
	if bytes.HasPrefix(b, []byte{0x80, 0x02}) {
		return nil, refuse("the file is older than PyTorch 1.6: load it in PyTorch and save it again with torch.save")
	}
	a, err := open(b)
	if err != nil {
		return nil, err
	}
	top, err := unpickle(a.pickle)
	if err != nil {
		return nil, err
	}
	dict, err := stateDict(top)
	if err != nil {
		return nil, err
	}
	var list []tensors.Tensor
	for _, e := range dict.entries {
		name, t := e.tensor()
		if t == nil {
			continue
		}
		if len(list) >= tensors.MaxTensors {
			return nil, fmt.Errorf("torch: %w: more than %d tensors", segd.ErrTooLarge, tensors.MaxTensors)
		}
		read, err := a.tensor(name, t)
		if err != nil {
			return nil, err
		}
		list = append(list, read)
	}
	return list, nil
}

// tensor returns the name and tensor of an entry, or nil.
func (e entry) tensor() (string, *rebuilt) {
	name, ok := e.key.(string)
	t, is := e.value.(*rebuilt)
	if !ok || !is {
		return "", nil
	}
	return name, t
}

// stateDict finds the dict of tensors in the content of a file.
func stateDict(top any) (*dict, error) {
	d, ok := top.(*dict)
	if !ok {
		return nil, refuse("the file has no state dict: write one with torch.save(net.state_dict(), file)")
	}
	for _, key := range dictKeys {
		for _, e := range d.entries {
			if inner, ok := e.value.(*dict); ok && e.key == key && inner.tensors() > 0 {
				return inner, nil
			}
		}
	}
	if d.tensors() > 0 {
		return d, nil
	}
	var found []*dict
	for _, e := range d.entries {
		if inner, ok := e.value.(*dict); ok && inner.tensors() > 0 {
			found = append(found, inner)
		}
	}
	if len(found) != 1 {
		return nil, refuse("the file has %d dicts of tensors, want one: write it with torch.save(net.state_dict(), file)", len(found))
	}
	return found[0], nil
}

func (d *dict) tensors() int {
	n := 0
	for _, e := range d.entries {
		if _, t := e.tensor(); t != nil {
			n++
		}
	}
	return n
}

// archive is the zip file.
type archive struct {
	b      []byte
	pickle []byte
	prefix string // of the storages
	files  map[string]*zip.File
	sound  map[string]bool // storages with a correct checksum
	spare  int             // bytes left for tensors that are not slices of a storage
}

func open(b []byte) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, bad("not a zip archive: %v", err)
	}
	if len(z.File) > tensors.MaxTensors {
		return nil, fmt.Errorf("torch: %w: %d files in the archive, limit %d", segd.ErrTooLarge, len(z.File), tensors.MaxTensors)
	}
	a := &archive{b: b, files: map[string]*zip.File{}, sound: map[string]bool{}, spare: len(b)}
	pickles := 0
	for _, f := range z.File {
		a.files[f.Name] = f
		if f.Name == "data.pkl" || strings.HasSuffix(f.Name, "/data.pkl") {
			pickles++
			a.prefix = strings.TrimSuffix(f.Name, "data.pkl")
		}
	}
	if pickles != 1 {
		return nil, bad("%d data.pkl files in the archive, want 1", pickles)
	}
	if f := a.files[a.prefix+"data.pkl"]; f.UncompressedSize64 > maxPickle {
		return nil, fmt.Errorf("torch: %w: pickle of %d bytes, limit %d", segd.ErrTooLarge, f.UncompressedSize64, maxPickle)
	}
	if a.files[a.prefix+"byteorder"] != nil {
		order, err := a.bytes(a.prefix + "byteorder")
		if err != nil {
			return nil, err
		}
		if string(order) != "little" {
			return nil, refuse("byte order %.20q, want little", order)
		}
	}
	a.pickle, err = a.bytes(a.prefix + "data.pkl")
	return a, err
}

// bytes returns a file of the archive, sharing its memory: torch.save does not
// compress.
func (a *archive) bytes(name string) ([]byte, error) {
	f := a.files[name]
	if f == nil {
		return nil, bad("no file %.120q in the archive", name)
	}
	if f.Method != zip.Store {
		return nil, refuse("file %.120q of the archive is compressed", name)
	}
	at, err := f.DataOffset()
	if err != nil || at < 0 || at > int64(len(a.b)) || f.UncompressedSize64 != f.CompressedSize64 || f.UncompressedSize64 > uint64(int64(len(a.b))-at) {
		return nil, bad("file %.120q of the archive is truncated", name)
	}
	b := a.b[at:][:f.UncompressedSize64]
	if !a.sound[name] {
		if crc32.ChecksumIEEE(b) != f.CRC32 {
			return nil, bad("file %.120q of the archive is damaged: wrong checksum", name)
		}
		a.sound[name] = true
	}
	return b, nil
}

// tensor returns a tensor from its storage.
func (a *archive) tensor(name string, t *rebuilt) (tensors.Tensor, error) {
	out := tensors.Tensor{Name: name, Dtype: t.storage.dtype, Shape: t.size}
	b, err := a.bytes(a.prefix + "data/" + t.storage.key)
	if err != nil {
		return out, err
	}
	size := t.storage.dtype.Size()
	have := len(b) / size
	n, ok := tensors.Elements(t.size, have)
	if !ok || len(t.stride) != len(t.size) || t.offset < 0 || t.offset > have {
		return out, bad("tensor %.80q of shape %.80v at offset %d exceeds its storage of %d elements", name, t.size, t.offset, have)
	}
	if n == 0 {
		return out, nil
	}
	last, next, contiguous := t.offset, 1, true
	for i, d := range slices.Backward(t.size) {
		s := t.stride[i]
		if s < 0 || d > 1 && s > (have-last)/(d-1) {
			return out, bad("tensor %.80q of shape %.80v and strides %.80v exceeds its storage of %d elements", name, t.size, t.stride, have)
		}
		contiguous = contiguous && (d == 1 || s == next)
		last, next = last+(d-1)*s, next*d
	}
	if last >= have {
		return out, bad("tensor %.80q of shape %.80v and strides %.80v exceeds its storage of %d elements", name, t.size, t.stride, have)
	}
	if contiguous {
		out.Data = b[t.offset*size:][:n*size]
		return out, nil
	}
	if a.spare -= n * size; a.spare < 0 {
		return out, fmt.Errorf("torch: %w: tensors that share storages are larger than the file", segd.ErrTooLarge)
	}
	out.Data = gather(b, size, n, t)
	return out, nil
}

// gather copies the elements of a tensor with any strides, with the last axis
// varying fastest.
func gather(b []byte, size, n int, t *rebuilt) []byte {
	data := make([]byte, 0, n*size)
	index := make([]int, len(t.size))
	for at := t.offset; len(data) < n*size; {
		data = append(data, b[at*size:][:size]...)
		for i := len(index) - 1; i >= 0; i-- {
			index[i]++
			at += t.stride[i]
			if index[i] < t.size[i] {
				break
			}
			at -= index[i] * t.stride[i]
			index[i] = 0
		}
	}
	return data
}
