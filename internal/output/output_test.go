package output

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
)

// holdEnv has TestMain lock a folder until it is killed.
const holdEnv = "SEGD_TEST_HOLD"

func TestMain(m *testing.M) {
	dir := os.Getenv(holdEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	if _, err := Take(dir); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is closed
}

// A second run is refused while the first one has the folder, and not after it
// ended or was killed.
func TestTake(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "out")
	first, err := Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(dir); !errors.Is(err, segd.ErrBusy) {
		t.Errorf("a second run: %v", err)
	}
	first.Release()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is left behind: %v", err)
	}

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), holdEnv+"="+dir)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := Take(dir); !errors.Is(err, segd.ErrBusy) {
		t.Errorf("while another process has it: %v", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if _, err := os.Stat(filepath.Join(dir, LockName)); err != nil {
		t.Errorf("the killed process left no lock file: %v", err)
	}
	again, err := Take(dir)
	if err != nil {
		t.Fatalf("after it was killed: %v", err)
	}
	again.Release()
}

// However many runs begin at once, one has the folder at a time.
func TestTakeAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wait sync.WaitGroup
	var mu sync.Mutex
	inside, taken := 0, 0
	for range 16 {
		wait.Go(func() {
			for range 50 {
				l, err := Take(dir)
				if err != nil {
					continue
				}
				mu.Lock()
				if inside++; inside > 1 {
					t.Error("two runs have the folder")
				}
				taken++
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				l.Release()
			}
		})
	}
	wait.Wait()
	if taken == 0 {
		t.Error("nobody got it")
	}
}

// The record outlives the run, whole or cut off, and names what is there.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	odd := "mask/new\nline \"caf\xe9\".png"
	for _, name := range []string{"mask/a.png", "mask/gone.png", odd} {
		if err := f.Add(name, "in put", "two"); err != nil {
			t.Fatal(err)
		}
		if name == "mask/gone.png" {
			continue
		}
		if err := WriteFile(filepath.Join(dir, name), func(io.Writer) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	want := Record{"mask/a.png": {"in put", "two"}, odd: {"in put", "two"}, "mask/gone.png": {"in put", "two"}}
	if got, err := ReadRecord(dir); err != nil || !cmp.Equal(want, got) { // as a killed run leaves it
		t.Errorf("%v: %s", err, cmp.Diff(want, got))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	delete(want, "mask/gone.png")
	path := filepath.Join(dir, RecordName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".segd-0123abcd", ".segd-mine"} { // the one of a killed run, the other not
		if err := os.WriteFile(filepath.Join(dir, "mask", name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b = append(b, "\"../../outside\"\nno line\n\"mask/cut"...)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	got := Record{}
	for name, of := range f.Outputs {
		got[name] = of
	}
	if !cmp.Equal(want, got) {
		t.Error(cmp.Diff(want, got))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "mask", ".segd-*")); len(left) != 1 || filepath.Base(left[0]) != ".segd-mine" {
		t.Errorf("temporary names %q", left)
	}
	if err := f.Add("mask/b.png"); err != nil { // behind the line that is cut off
		t.Fatal(err)
	}
	if r, _ := ReadRecord(dir); r["mask/b.png"] == nil {
		t.Errorf("record %v", r)
	}
	if err := errors.Join(f.Remove("mask/a.png"), f.Remove(odd), f.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a record of nothing: %v", err)
	}
}

// What cannot be written leaves what was there, and no temporary name.
func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d", "a")
	write := func(text string, err error) error {
		return WriteFile(path, func(w io.Writer) error {
			_, _ = io.WriteString(w, text)
			return err
		})
	}
	if err := write("one", nil); err != nil {
		t.Fatal(err)
	}
	if err := write("two", io.ErrShortWrite); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
	b, err := os.ReadFile(path)
	entries, _ := os.ReadDir(filepath.Dir(path))
	if string(b) != "one" || err != nil || len(entries) != 1 {
		t.Errorf("%q, %v, %v", b, err, entries)
	}
	if err := WriteFile(os.DevNull, func(w io.Writer) error { _, err := w.Write([]byte{1}); return err }); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Error("a file took the place of the device")
	}
}
