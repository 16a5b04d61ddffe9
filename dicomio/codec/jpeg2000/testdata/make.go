// Command make codes phantoms as JPEG 2000 and HTJ2K streams, decodes them with
// the reference decoder, and lists them in streams.csv; see README.md.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	width  = 59
	height = 43
)

// A stream is one way to code one phantom.
type stream struct {
	name   string
	source string // of sources
	args   string // of the coder
}

// sources are phantoms: samples of a pixel, precision, signed.
var sources = map[string]struct {
	samples, bits int
	signed        bool
}{
	"u8": {1, 8, false}, "u12": {1, 12, false}, "u16": {1, 16, false},
	"s8": {1, 8, true}, "s12": {1, 12, true}, "s16": {1, 16, true},
	"rgb8": {3, 8, false}, "rgb12": {3, 12, false}, "rgba8": {4, 8, false},
}

// openJPEG are streams of opj_compress; -I is the 9/7 wavelet.
var openJPEG = []stream{
	{"u8-53", "u8", ""}, {"u8-97", "u8", "-I -r 6"},
	{"u12-53", "u12", ""}, {"u12-97", "u12", "-I -r 6"},
	{"u16-53", "u16", ""}, {"u16-97", "u16", "-I"},
	{"s8-53", "s8", ""}, {"s12-53", "s12", ""}, {"s12-97", "s12", "-I -r 4"},
	{"s16-53", "s16", ""}, {"s16-97", "s16", "-I -r 4"},
	{"rgb8-rct", "rgb8", "-mct 1"}, {"rgb8-ict", "rgb8", "-mct 1 -I -r 8"},
	{"rgb8-53", "rgb8", "-mct 0"}, {"rgb8-97", "rgb8", "-mct 0 -I -r 8"},
	{"rgb12-rct", "rgb12", "-mct 1"}, {"rgba8-rct", "rgba8", "-mct 1"},
	{"lrcp", "rgb8", "-p LRCP -r 20,5,1 -t 32,20 -c [16,16],[8,8] -b 8,4 -n 3"},
	{"rlcp", "rgb8", "-p RLCP -r 20,5,1 -t 32,20 -c [16,16],[8,8] -b 8,4 -n 3"},
	{"rpcl", "rgb8", "-p RPCL -r 20,5,1 -t 32,20 -c [16,16],[8,8] -b 8,4 -n 3"},
	{"pcrl", "rgb8", "-p PCRL -r 20,5,1 -t 32,20 -c [16,16],[8,8] -b 8,4 -n 3"},
	{"cprl", "rgb8", "-p CPRL -r 20,5,1 -t 32,20 -c [16,16],[8,8] -b 8,4 -n 3"},
	{"poc", "rgb8", "-n 3 -r 8,4,1 -POC T1=0,0,3,2,3,RLCP/T1=2,0,3,3,3,CPRL"},
	{"layers", "u12", "-r 40,20,10,5,2,1 -b 16,16"},
	{"sop-eph", "u12", "-SOP -EPH -r 8,1 -t 32,32"},
	{"tile-parts", "u12", "-TP R -r 8,1 -t 32,32 -PLT -TLM"},
	{"offset", "u12", "-t 25,17 -d 13,7 -T 5,3 -n 4"}, {"offset-97", "u12", "-I -t 25,17 -d 13,7 -T 5,3 -n 4"},
	{"far", "u8", "-d 1001,777"},
	{"one-level", "u12", "-n 1"}, {"six-levels", "u12", "-n 6"},
	{"blocks-4x4", "u12", "-b 4,4"}, {"blocks-1024x4", "u12", "-b 4,1024"}, {"blocks-4x1024", "u12", "-b 1024,4"},
	{"bypass", "u12", "-M 1"}, {"reset", "u12", "-M 2"}, {"termall", "u12", "-M 4"}, {"causal", "u12", "-M 8"},
	{"predictable", "u12", "-M 16"}, {"segsym", "u12", "-M 32"}, {"all-styles", "u12", "-M 63 -r 4,1"},
	{"bypass-termall", "u16", "-M 5 -r 4,1"}, {"all-styles-97", "u16", "-M 63 -I -r 4"},
	{"roi", "rgb8", "-mct 0 -ROI c=1,U=9"}, {"roi-97", "u12", "-I -r 4 -ROI c=0,U=6"},
	{"wrapped", "rgb8", "JP2"},
}

// openJPH are streams of ojph_compress.
var openJPH = []stream{
	{"ht-u8", "u8", "-reversible true"}, {"ht-u12", "u12", "-reversible true"}, {"ht-u16", "u16", "-reversible true"},
	{"ht-u12-97", "u12", "-qstep 0.002"}, {"ht-rgb8", "rgb8", "-reversible true -colour_trans true"},
	{"ht-rgb8-97", "rgb8", "-qstep 0.01 -colour_trans true"},
	{"ht-rpcl", "rgb8", "-reversible true -prog_order RPCL -num_decomps 3 -precincts {32,32},{16,16} -block_size {8,8}"},
	{"ht-tiles", "rgb8", "-reversible true -prog_order CPRL -num_decomps 3 -tile_size {32,20}"},
	{"ht-4x1024", "u12", "-reversible true -block_size {4,1024}"}, {"ht-1024x4", "u12", "-reversible true -block_size {1024,4}"},
}

func main() {
	log.SetFlags(0)
	work, err := os.MkdirTemp("", "jpeg2000")
	check(err)
	defer func() { _ = os.RemoveAll(work) }()
	list := "file,rows,columns,samples,precision,signed,lossless,sha256\n"
	for _, s := range openJPEG {
		list += code(work, s, "opj_compress")
	}
	for _, s := range openJPH {
		list += code(work, s, "ojph_compress")
	}
	list += refined(work, "ht-u12.j2c", "ht-propagated.j2c", 2)
	list += refined(work, "ht-u12.j2c", "ht-refined.j2c", 3)
	check(os.WriteFile("streams.csv", []byte(list), 0o644))
}

// code codes and decodes one stream, and returns its line of the list.
func code(work string, s stream, coder string) string {
	src := sources[s.source]
	samples := phantom(src.samples, src.bits, src.signed)
	in, out := filepath.Join(work, "in.rawl"), s.name+".j2k"
	args := strings.Fields(s.args)
	switch {
	case s.args == "JP2":
		out, args = s.name+".jp2", nil
	case coder == "ojph_compress":
		out = s.name + ".j2c"
	}
	if coder == "ojph_compress" {
		in = filepath.Join(work, map[int]string{1: "in.pgm", 3: "in.ppm"}[src.samples])
		check(os.WriteFile(in, netpbm(samples, src.samples, src.bits), 0o644))
	} else {
		check(os.WriteFile(in, planes(samples, src.samples, src.bits), 0o644))
		sign := "u"
		if src.signed {
			sign = "s"
		}
		args = append(args, "-F", fmt.Sprintf("%d,%d,%d,%d,%s", width, height, src.samples, src.bits, sign))
	}
	run(coder, append([]string{"-i", in, "-o", out}, args...)...)
	run("opj_decompress", "-i", out, "-o", filepath.Join(work, "out.rawl"))
	got, err := os.ReadFile(filepath.Join(work, "out.rawl"))
	check(err)
	if src.signed {
		extend(got, src.bits)
	}
	lossless := string(got) == string(planes(samples, src.samples, src.bits))
	if wavelet97 := strings.Contains(s.args, "-I") || strings.Contains(s.args, "-qstep"); lossless == wavelet97 {
		log.Fatalf("%s: lossless %v", s.name, lossless)
	}
	sum := sha256.Sum256(interleaved(got, src.samples, src.bits))
	return fmt.Sprintf("%s,%d,%d,%d,%d,%v,%v,%s\n", out, height, width, src.samples, src.bits, src.signed, lossless, hex.EncodeToString(sum[:]))
}

// refined writes the stream from, of the phantom u12 with one HT block in each
// band, as one of a bit more, in which each block has that many passes: behind
// its cleanup pass comes a segment of noise, which no encoder at hand writes.
// It returns its line of the list.
func refined(work, from, name string, passes int) string {
	b, err := os.ReadFile(from)
	check(err)
	tile := strings.Index(string(b), "\xFF\x90\x00\x0A")
	header, body := b[:tile], b[tile+14:len(b)-2]
	b = append([]byte(nil), header...)
	b[42]++ // Ssiz
	qcd := strings.Index(string(b), "\xFF\x5C")
	b[qcd+4] += 1 << 5 // guard bits
	var packets []byte
	noise := uint32(7)
	for resolution := range 6 {
		bands := 3
		if resolution == 0 {
			bands = 1
		}
		in := bitReader{b: body}
		var out bitWriter
		var data []byte
		if in.bit() == 0 {
			log.Fatalf("%s: empty packet", from)
		}
		out.put(1, 1)
		var lengths []int
		for range bands {
			if in.bit() == 0 {
				out.put(0, 1)
				lengths = append(lengths, 0)
				continue
			}
			out.put(1, 1)
			for in.bit() == 0 {
				out.put(0, 1)
			}
			out.put(1, 1)
			if in.bit() != 0 {
				log.Fatalf("%s: block of several passes", from)
			}
			bits := 3
			for in.bit() == 1 {
				bits++
			}
			length := 0
			for range bits {
				length = length<<1 | in.bit()
			}
			lengths = append(lengths, length)
			// Two passes are 10, three 1100; lengths have 12 bits, the second
			// one more where it is of two passes.
			if passes == 2 {
				out.put(2, 2)
			} else {
				out.put(12, 4)
			}
			out.put(1<<10-2, 10)
			out.put(length, 12)
			out.put(40, 10+passes)
		}
		body = in.rest()
		for _, n := range lengths {
			data = append(data, body[:n]...)
			body = body[n:]
			for range min(n, 1) * 40 {
				noise = noise*1664525 + 1013904223
				data = append(data, byte(noise>>25))
			}
		}
		packets = append(append(packets, out.bytes()...), data...)
	}
	b = append(b, 0xFF, 0x90, 0, 10, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(14+len(packets)))
	b = append(append(b, 0, 1, 0xFF, 0x93), packets...)
	check(os.WriteFile(name, append(b, 0xFF, 0xD9), 0o644))
	run("opj_decompress", "-i", name, "-o", filepath.Join(work, "out.rawl"))
	got, err := os.ReadFile(filepath.Join(work, "out.rawl"))
	check(err)
	return fmt.Sprintf("%s,%d,%d,1,13,false,false,%x\n", name, height, width, sha256.Sum256(got))
}

// A bitReader and a bitWriter stuff a zero bit behind each byte of ones.
type bitReader struct {
	b    []byte
	last byte
	left int
}

func (r *bitReader) bit() int {
	if r.left == 0 {
		r.left = 8
		if r.last == 0xFF {
			r.left = 7
		}
		r.last, r.b = r.b[0], r.b[1:]
	}
	r.left--
	return int(r.last>>r.left) & 1
}

func (r *bitReader) rest() []byte {
	if r.last == 0xFF {
		return r.b[1:]
	}
	return r.b
}

type bitWriter struct {
	b    []byte
	left int // bits that the last byte still takes
}

func (w *bitWriter) put(v, n int) {
	for n--; n >= 0; n-- {
		if w.left == 0 {
			w.left = 8
			if len(w.b) > 0 && w.b[len(w.b)-1] == 0xFF {
				w.left = 7
			}
			w.b = append(w.b, 0)
		}
		w.left--
		w.b[len(w.b)-1] |= byte(v>>n&1) << w.left
	}
}

func (w *bitWriter) bytes() []byte {
	if w.b[len(w.b)-1] == 0xFF {
		return append(w.b, 0)
	}
	return w.b
}

// phantom returns ellipses, a gradient, a wave and noise, colour interleaved.
func phantom(samples, bits int, signed bool) []int {
	top := float64(int(1)<<bits - 1)
	random := uint32(1)
	var p []int
	for y := range height {
		for x := range width {
			fx, fy := float64(x)/width, float64(y)/height
			for c := range samples {
				v := 0.2 + 0.3*fx + 0.05*math.Sin(20*fx+float64(c))*math.Cos(15*fy)
				if math.Hypot((fx-0.4)/0.3, (fy-0.5)/0.4) < 1 {
					v += 0.25
				}
				if math.Hypot((fx-0.7)/0.1, (fy-0.3)/0.2) < 1 {
					v -= 0.3 / float64(c+1)
				}
				random = random*1664525 + 1013904223
				v += 0.01 * (float64(random>>8)/(1<<24) - 0.5)
				n := int(math.Round(top * min(max(v, 0), 1)))
				if signed {
					n -= 1 << (bits - 1)
				}
				p = append(p, n)
			}
		}
	}
	return p
}

// planes writes component after component, little endian.
func planes(p []int, samples, bits int) []byte {
	var b []byte
	for c := range samples {
		for i := c; i < len(p); i += samples {
			b = binary.LittleEndian.AppendUint16(b, uint16(p[i]))
			if bits <= 8 {
				b = b[:len(b)-1]
			}
		}
	}
	return b
}

// extend extends signs, which opj_decompress cuts off at the precision.
func extend(b []byte, bits int) {
	for i := 0; bits > 8 && i < len(b); i += 2 {
		v := int16(binary.LittleEndian.Uint16(b[i:])<<(16-bits)) >> (16 - bits)
		binary.LittleEndian.PutUint16(b[i:], uint16(v))
	}
}

// interleaved undoes the order of planes.
func interleaved(b []byte, samples, bits int) []byte {
	size, n := (bits+7)/8, len(b)/samples
	var out []byte
	for i := 0; i < n; i += size {
		for c := range samples {
			out = append(out, b[c*n+i:c*n+i+size]...)
		}
	}
	return out
}

func netpbm(p []int, samples, bits int) []byte {
	b := fmt.Appendf(nil, "P%d\n%d %d\n%d\n", map[int]int{1: 5, 3: 6}[samples], width, height, 1<<bits-1)
	for _, v := range p {
		if bits > 8 {
			b = append(b, byte(v>>8))
		}
		b = append(b, byte(v))
	}
	return b
}

func run(name string, args ...string) {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		log.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
