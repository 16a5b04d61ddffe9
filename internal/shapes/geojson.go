package shapes

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// feature is a feature of GeoJSON (RFC 7946), as QuPath writes it.
type feature struct {
	Type       string     `json:"type"`
	Geometry   *geometry  `json:"geometry"`
	Nucleus    *geometry  `json:"nucleusGeometry"`
	Properties properties `json:"properties"`
}

type properties struct {
	Kind           string         `json:"objectType"`
	OldKind        string         `json:"object_type"`
	Classification classification `json:"classification"`
	IsEllipse      bool           `json:"isEllipse"`
}

// classification is the name of a class: a text, or an object with a name or the names
// of a class and those derived from it.
type classification string

// UnmarshalJSON reads the name.
func (c *classification) UnmarshalJSON(b []byte) error {
	var d struct {
		Name  string   `json:"name"`
		Names []string `json:"names"`
	}
	err := error(nil)
	switch b[0] {
	case 'n': // null
		return nil
	case '"':
		err = json.Unmarshal(b, &d.Name)
	default:
		err = json.Unmarshal(b, &d)
	}
	if d.Name == "" {
		d.Name = strings.Join(d.Names, ": ")
	}
	*c = classification(d.Name)
	return err
}

// geometry is a geometry of GeoJSON, with what QuPath adds.
type geometry struct {
	Type        string          `json:"type"`
	Coordinates json.RawMessage `json:"coordinates"`
	Geometries  []geometry      `json:"geometries"`
	IsEllipse   bool            `json:"isEllipse"`
	Plane       *struct {
		Z int `json:"z"`
		T int `json:"t"`
	} `json:"plane"`
}

// area returns the area of the geometry; nil: it has none.
func (g *geometry) area() (area, error) {
	c := cursor{b: g.Coordinates}
	var all many
	polygon := func() error {
		var p rings
		err := c.list(func() error {
			ring, err := c.points()
			p = append(p, ring)
			return err
		})
		all = append(all, p)
		return err
	}
	err := error(nil)
	switch g.Type {
	case "Polygon":
		err = polygon()
		if p := all[0].(rings); err == nil && g.IsEllipse && len(p) == 1 {
			return around(p[0]), nil
		}
	case "MultiPolygon":
		err = c.list(polygon)
	case "GeometryCollection":
		for i := range g.Geometries {
			a, err := g.Geometries[i].area()
			if err != nil {
				return nil, err
			}
			if a != nil {
				all = append(all, a)
			}
		}
	case "Point", "MultiPoint", "LineString", "MultiLineString":
	default:
		err = &numberError{"a geometry that GeoJSON does not have"}
	}
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all, nil
}

// around returns the ellipse in the box around points. QuPath writes some points of an
// ellipse, and reads the box.
func around(points []Point) area {
	if len(points) == 0 {
		return many{}
	}
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range points {
		x0, y0, x1, y1 = min(x0, p.X), min(y0, p.Y), max(x1, p.X), max(y1, p.Y)
	}
	return ellipse{(x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2}
}

// Kinds of QuPath's objects.
const (
	kindAnnotation = "annotation"
	kindDetection  = "detection"
	kindCell       = "cell"
)

// Names of the classes of cells that have none, and of their nuclei.
const (
	cellClass    = "cell"
	nucleusClass = "nucleus"
)

// Notes on QuPath's objects.
const (
	noteRegions = "annotations without a class are not drawn, because the file has detections: give them a class if they are labels"
	noteIgnored = "classes whose name ends in * are not drawn, as QuPath ignores them; Ignore* is left open"
	noteNuclei  = "cells have nuclei: the nucleus is a class of its own, the rest of the cell has the class of the cell"
	noteOthers  = "objects other than annotations, detections and cells are not drawn"
)

// readGeoJSON reads features in the order of the file, detections after annotations,
// in which they often lie, and nuclei after their cells.
func readGeoJSON(list []feature) (*File, error) {
	p := Picture{}
	kind := func(f *feature) string {
		k := strings.ToLower(f.Properties.Kind + f.Properties.OldKind)
		switch {
		case k == "", strings.Contains(k, kindAnnotation):
			return kindAnnotation
		case strings.Contains(k, kindDetection), k == "tile":
			return kindDetection
		case strings.Contains(k, kindCell):
			return kindCell
		}
		return ""
	}
	detections := slices.ContainsFunc(list, func(f feature) bool { k := kind(&f); return k == kindDetection || k == kindCell })
	for _, pass := range []bool{true, false} { // annotations first
		for i := range list {
			f := &list[i]
			k := kind(f)
			if f.Type != "Feature" {
				return nil, malformed("feature %d is another object of GeoJSON", i+1)
			}
			if pass != (k == kindAnnotation || k == "") || f.Geometry == nil {
				continue
			}
			class := string(f.Properties.Classification)
			switch {
			case k == "":
				p.note(noteOthers)
				continue
			case strings.HasSuffix(class, "*") && !strings.EqualFold(class, "Ignore*"):
				p.note(noteIgnored)
				continue
			case k == kindAnnotation && class == "" && detections:
				p.note(noteRegions)
				continue
			}
			f.Geometry.IsEllipse = f.Geometry.IsEllipse || f.Properties.IsEllipse
			if err := p.addCell(f, class); err != nil {
				return nil, malformed("feature %d: %s", i+1, err)
			}
		}
	}
	return &File{Format: GeoJSON, Pictures: []Picture{p}}, nil
}

// addCell adds the shape of a feature and, above it, that of its nucleus.
func (p *Picture) addCell(f *feature, class string) error {
	a, err := f.Geometry.area()
	if err != nil {
		return err
	}
	s := Shape{Class: class, Plane: f.Geometry.plane(), area: a}
	if f.Nucleus == nil {
		p.add(s)
		return nil
	}
	inner := Shape{Class: nucleusClass, Plane: s.Plane}
	if inner.area, err = f.Nucleus.area(); err != nil {
		return err
	}
	if class == "" {
		s.Class = cellClass
	} else {
		inner.Class = class + ": " + nucleusClass
	}
	p.note(noteNuclei)
	p.add(s)
	p.add(inner)
	return nil
}

// plane returns the plane of a geometry; QuPath counts from 0 and leaves out the first.
func (g *geometry) plane() Plane {
	if g.Plane == nil {
		return Plane{Z: 1, T: 1}
	}
	return Plane{Z: g.Plane.Z + 1, T: g.Plane.T + 1}
}
