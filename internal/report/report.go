// Package report writes a self-contained HTML file of text, tables, charts and
// pictures. It has no scripts and loads nothing, so that it can be archived,
// mailed and printed.
//
//	p := report.Page{Title: "Evaluation of nuclei"}
//	p.Add(report.Section{Title: "Dice", Charts: []report.Chart{…}})
//	err := p.Write(w)
//
// gonum.org/v1/plot draws charts and reliefs as SVG in the page. Pictures are
// PNG in data URLs. All text is inserted as text, never as markup.
package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"
	"io"

	_ "embed"
)

// Page is a report.
type Page struct {
	Title    string
	Lead     string // a sentence or two beneath the title
	Sections []Section
	Foot     string // beneath everything
}

// Add appends a section.
func (p *Page) Add(s Section) { p.Sections = append(p.Sections, s) }

// Section is a part of a page. Empty fields are omitted.
type Section struct {
	Title    string
	Text     []string // paragraphs
	Table    Table
	Charts   []Chart
	Reliefs  []Relief
	Pictures []Picture
}

// Table has a row of column heads and rows of cells. Numeric cells are aligned
// to the right.
type Table struct {
	Head []string
	Rows [][]string
}

// Picture is an image with a caption.
type Picture struct {
	Image   image.Image
	Caption string
	Wide    bool // as wide as the page
}

//go:embed report.html
var text string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"draw": func(d interface{ SVG() (string, error) }) (template.HTML, error) {
		svg, err := d.SVG()
		return template.HTML(svg), err // gonum/plot escapes the text it is given
	},
	"data":    dataURL,
	"numeric": numeric,
}).Parse(text))

// Write writes the page as UTF-8 HTML.
func (p *Page) Write(w io.Writer) error {
	var b bytes.Buffer
	if err := page.Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// dataURL returns a picture as a data URL.
func dataURL(m image.Image) (template.URL, error) {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, m); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}

// numeric reports whether a cell starts like a number.
func numeric(cell string) bool {
	for _, r := range cell {
		switch {
		case r >= '0' && r <= '9', r == '–':
			return true
		case r == '-', r == '+', r == ' ', r == '[':
			continue
		}
		return false
	}
	return false
}
