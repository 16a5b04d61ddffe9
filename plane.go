package segd

import "fmt"

// Plane is the orientation of an image in the patient.
type Plane struct {
	// Name is axial, coronal or sagittal.
	Name string `json:"plane"`
	// Right and Down are the directions in which the columns and the rows of the
	// image rise: R (right), L (left), A (anterior), P (posterior), S (superior)
	// or I (inferior). They are those of DICOM's PatientOrientation (0020,0020),
	// which has H (head) for S and F (foot) for I.
	Right string `json:"right"`
	Down  string `json:"down"`
}

// String says in words how the plane lies.
func (p Plane) String() string {
	return fmt.Sprintf("%s (columns to %s, rows to %s)", p.Name, p.Right, p.Down)
}
