// Package tag names the attributes of DICOM that segd reads and writes, by their
// keywords in PS3.6. A tag is a uint32 with the group in its upper half:
//
//	tag.PatientName // 0x00100010, (0010,0010)
//
// The constants are untyped, and each tag appears once. Tests hold them against
// the dictionary of the DICOM library.
package tag

const (
	// File meta information (PS3.10 7.1).
	FileMetaInformationGroupLength = 0x00020000
	FileMetaInformationVersion     = 0x00020001
	MediaStorageSOPClassUID        = 0x00020002
	MediaStorageSOPInstanceUID     = 0x00020003
	TransferSyntaxUID              = 0x00020010
	ImplementationClassUID         = 0x00020012
	ImplementationVersionName      = 0x00020013
	SourceApplicationEntityTitle   = 0x00020016

	// Object, series and study (PS3.3 C.7.2, C.7.3, C.12.1).
	SpecificCharacterSet                      = 0x00080005
	ImageType                                 = 0x00080008
	SOPClassUID                               = 0x00080016
	SOPInstanceUID                            = 0x00080018
	StudyDate                                 = 0x00080020
	ContentDate                               = 0x00080023
	StudyTime                                 = 0x00080030
	AcquisitionTime                           = 0x00080032
	ContentTime                               = 0x00080033
	AccessionNumber                           = 0x00080050
	IssuerOfAccessionNumberSequence           = 0x00080051
	Modality                                  = 0x00080060
	ConversionType                            = 0x00080064
	Manufacturer                              = 0x00080070
	ReferringPhysicianName                    = 0x00080090
	ReferringPhysicianIdentificationSequence  = 0x00080096
	ConsultingPhysicianName                   = 0x0008009c
	ConsultingPhysicianIdentificationSequence = 0x0008009d

	// Codes (PS3.3 8.8).
	CodeValue              = 0x00080100
	CodingSchemeDesignator = 0x00080102
	CodingSchemeVersion    = 0x00080103
	CodeMeaning            = 0x00080104
	MappingResource        = 0x00080105
	LongCodeValue          = 0x00080119
	URNCodeValue           = 0x00080120

	// Descriptions, people and equipment (PS3.3 C.7.2, C.7.3, C.7.5).
	StudyDescription                             = 0x00081030
	ProcedureCodeSequence                        = 0x00081032
	SeriesDescription                            = 0x0008103e
	InstitutionalDepartmentName                  = 0x00081040
	PhysiciansOfRecord                           = 0x00081048
	PhysiciansOfRecordIdentificationSequence     = 0x00081049
	NameOfPhysiciansReadingStudy                 = 0x00081060
	PhysiciansReadingStudyIdentificationSequence = 0x00081062
	OperatorsName                                = 0x00081070
	AdmittingDiagnosesDescription                = 0x00081080
	AdmittingDiagnosesCodeSequence               = 0x00081084
	ManufacturerModelName                        = 0x00081090

	// References and derivation (PS3.3 C.7.6.1, C.7.6.16, C.12.4).
	ReferencedStudySequence                  = 0x00081110
	ReferencedPerformedProcedureStepSequence = 0x00081111
	ReferencedSeriesSequence                 = 0x00081115
	ReferencedPatientSequence                = 0x00081120
	ReferencedImageSequence                  = 0x00081140
	ReferencedInstanceSequence               = 0x0008114a
	ReferencedSOPClassUID                    = 0x00081150
	ReferencedSOPInstanceUID                 = 0x00081155
	ReferencedFrameNumber                    = 0x00081160
	ReferencedSOPSequence                    = 0x00081199
	DerivationDescription                    = 0x00082111
	SourceImageSequence                      = 0x00082112
	FrameType                                = 0x00089007
	DerivationImageSequence                  = 0x00089124
	ComplexImageComponent                    = 0x00089208
	DerivationCodeSequence                   = 0x00089215

	// Patient (PS3.3 C.7.1.1, C.7.2.2).
	PatientName                              = 0x00100010
	PatientID                                = 0x00100020
	IssuerOfPatientID                        = 0x00100021
	TypeOfPatientID                          = 0x00100022
	IssuerOfPatientIDQualifiersSequence      = 0x00100024
	SourcePatientGroupIdentificationSequence = 0x00100026
	GroupOfPatientsIdentificationSequence    = 0x00100027
	PatientBirthDate                         = 0x00100030
	PatientBirthTime                         = 0x00100032
	PatientBirthDateInAlternativeCalendar    = 0x00100033
	PatientDeathDateInAlternativeCalendar    = 0x00100034
	PatientAlternativeCalendar               = 0x00100035
	PatientSex                               = 0x00100040
	QualityControlSubject                    = 0x00100200
	StrainDescription                        = 0x00100212
	StrainNomenclature                       = 0x00100213
	StrainStockNumber                        = 0x00100214
	StrainSourceRegistryCodeSequence         = 0x00100215
	StrainStockSequence                      = 0x00100216
	StrainSource                             = 0x00100217
	StrainAdditionalInformation              = 0x00100218
	StrainCodeSequence                       = 0x00100219
	GeneticModificationsSequence             = 0x00100221
	GeneticModificationsDescription          = 0x00100222
	GeneticModificationsNomenclature         = 0x00100223
	OtherPatientIDs                          = 0x00101000
	OtherPatientNames                        = 0x00101001
	OtherPatientIDsSequence                  = 0x00101002
	PatientAge                               = 0x00101010
	PatientSize                              = 0x00101020
	PatientSizeCodeSequence                  = 0x00101021
	PatientBodyMassIndex                     = 0x00101022
	MeasuredAPDimension                      = 0x00101023
	MeasuredLateralDimension                 = 0x00101024
	PatientWeight                            = 0x00101030
	MedicalAlerts                            = 0x00102000
	Allergies                                = 0x00102110
	EthnicGroup                              = 0x00102160
	Occupation                               = 0x00102180
	SmokingStatus                            = 0x001021a0
	AdditionalPatientHistory                 = 0x001021b0
	PregnancyStatus                          = 0x001021c0
	LastMenstrualDate                        = 0x001021d0
	PatientSpeciesDescription                = 0x00102201
	PatientSpeciesCodeSequence               = 0x00102202
	PatientSexNeutered                       = 0x00102203
	PatientBreedDescription                  = 0x00102292
	PatientBreedCodeSequence                 = 0x00102293
	BreedRegistrationSequence                = 0x00102294
	ResponsiblePerson                        = 0x00102297
	ResponsiblePersonRole                    = 0x00102298
	ResponsibleOrganization                  = 0x00102299
	PatientComments                          = 0x00104000

	// Clinical trial and de-identification (PS3.3 C.7.1, C.7.2, C.12.1).
	ClinicalTrialSponsorName                           = 0x00120010
	ClinicalTrialProtocolID                            = 0x00120020
	ClinicalTrialProtocolName                          = 0x00120021
	ClinicalTrialSiteID                                = 0x00120030
	ClinicalTrialSiteName                              = 0x00120031
	ClinicalTrialSubjectID                             = 0x00120040
	ClinicalTrialSubjectReadingID                      = 0x00120042
	ClinicalTrialTimePointID                           = 0x00120050
	ClinicalTrialTimePointDescription                  = 0x00120051
	LongitudinalTemporalOffsetFromEvent                = 0x00120052
	LongitudinalTemporalEventType                      = 0x00120053
	PatientIdentityRemoved                             = 0x00120062
	DeidentificationMethod                             = 0x00120063
	DeidentificationMethodCodeSequence                 = 0x00120064
	ClinicalTrialProtocolEthicsCommitteeName           = 0x00120081
	ClinicalTrialProtocolEthicsCommitteeApprovalNumber = 0x00120082
	ConsentForClinicalTrialUseSequence                 = 0x00120083

	// Acquisition (PS3.3 C.7.6, C.8.5, C.8.13).
	BodyPartExamined               = 0x00180015
	SliceThickness                 = 0x00180050
	EchoTime                       = 0x00180081
	SpacingBetweenSlices           = 0x00180088
	DeviceSerialNumber             = 0x00181000
	SoftwareVersions               = 0x00181020
	TriggerTime                    = 0x00181060
	ImagerPixelSpacing             = 0x00181164
	NominalScannedPixelSpacing     = 0x00182010
	SequenceOfUltrasoundRegions    = 0x00186011
	RegionSpatialFormat            = 0x00186012
	PhysicalUnitsXDirection        = 0x00186024
	PhysicalUnitsYDirection        = 0x00186026
	PhysicalDeltaX                 = 0x0018602c
	PhysicalDeltaY                 = 0x0018602e
	EffectiveEchoTime              = 0x00189082
	DiffusionBValue                = 0x00189087
	MREchoSequence                 = 0x00189114
	MRDiffusionSequence            = 0x00189117
	CardiacSynchronizationSequence = 0x00189118
	MRImageFrameTypeSequence       = 0x00189226

	// Identity, place and order of images and frames (PS3.3 C.7.6).
	StudyInstanceUID               = 0x0020000d
	SeriesInstanceUID              = 0x0020000e
	StudyID                        = 0x00200010
	SeriesNumber                   = 0x00200011
	AcquisitionNumber              = 0x00200012
	InstanceNumber                 = 0x00200013
	PatientOrientation             = 0x00200020
	ImagePositionPatient           = 0x00200032
	ImageOrientationPatient        = 0x00200037
	FrameOfReferenceUID            = 0x00200052
	Laterality                     = 0x00200060
	ImageLaterality                = 0x00200062
	TemporalPositionIdentifier     = 0x00200100
	PositionReferenceIndicator     = 0x00201040
	StackID                        = 0x00209056
	InStackPositionNumber          = 0x00209057
	FrameContentSequence           = 0x00209111
	PlanePositionSequence          = 0x00209113
	PlaneOrientationSequence       = 0x00209116
	TemporalPositionIndex          = 0x00209128
	NominalCardiacTriggerDelayTime = 0x00209153
	DimensionIndexValues           = 0x00209157
	DimensionOrganizationUID       = 0x00209164
	DimensionIndexPointer          = 0x00209165
	FunctionalGroupPointer         = 0x00209167
	DimensionOrganizationSequence  = 0x00209221
	DimensionIndexSequence         = 0x00209222
	TemporalPositionTimeOffset     = 0x0020930d
	TemporalPositionSequence       = 0x00209310
	DimensionDescriptionLabel      = 0x00209421

	// Pixels (PS3.3 C.7.6.3).
	SamplesPerPixel                         = 0x00280002
	PhotometricInterpretation               = 0x00280004
	PlanarConfiguration                     = 0x00280006
	NumberOfFrames                          = 0x00280008
	Rows                                    = 0x00280010
	Columns                                 = 0x00280011
	PixelSpacing                            = 0x00280030
	PixelAspectRatio                        = 0x00280034
	BitsAllocated                           = 0x00280100
	BitsStored                              = 0x00280101
	HighBit                                 = 0x00280102
	PixelRepresentation                     = 0x00280103
	PixelPaddingValue                       = 0x00280120
	PixelPaddingRangeLimit                  = 0x00280121
	FloatPixelPaddingValue                  = 0x00280122
	DoubleFloatPixelPaddingValue            = 0x00280123
	FloatPixelPaddingRangeLimit             = 0x00280124
	DoubleFloatPixelPaddingRangeLimit       = 0x00280125
	BurnedInAnnotation                      = 0x00280301
	LongitudinalTemporalInformationModified = 0x00280303

	// Rescaling and window (PS3.3 C.11.1, C.11.2).
	WindowCenter                 = 0x00281050
	WindowWidth                  = 0x00281051
	RescaleIntercept             = 0x00281052
	RescaleSlope                 = 0x00281053
	RescaleType                  = 0x00281054
	WindowCenterWidthExplanation = 0x00281055
	VOILUTFunction               = 0x00281056

	// Palettes (PS3.3 C.7.6.3) and derived images (C.7.6.16).
	RedPaletteColorLookupTableDescriptor      = 0x00281101
	GreenPaletteColorLookupTableDescriptor    = 0x00281102
	BluePaletteColorLookupTableDescriptor     = 0x00281103
	RedPaletteColorLookupTableData            = 0x00281201
	GreenPaletteColorLookupTableData          = 0x00281202
	BluePaletteColorLookupTableData           = 0x00281203
	SegmentedRedPaletteColorLookupTableData   = 0x00281221
	SegmentedGreenPaletteColorLookupTableData = 0x00281222
	SegmentedBluePaletteColorLookupTableData  = 0x00281223
	SpatialLocationsPreserved                 = 0x0028135a

	// Colour, compression, lookup tables and their frame groups (PS3.3 C.7.6, C.11).
	ICCProfile                       = 0x00282000
	ColorSpace                       = 0x00282002
	LossyImageCompression            = 0x00282110
	LossyImageCompressionRatio       = 0x00282112
	LossyImageCompressionMethod      = 0x00282114
	ModalityLUTSequence              = 0x00283000
	LUTDescriptor                    = 0x00283002
	LUTExplanation                   = 0x00283003
	LUTData                          = 0x00283006
	VOILUTSequence                   = 0x00283010
	SoftcopyVOILUTSequence           = 0x00283110
	PixelMeasuresSequence            = 0x00289110
	FrameVOILUTSequence              = 0x00289132
	PixelValueTransformationSequence = 0x00289145

	// Request and visit (PS3.3 C.7.2.2).
	RequestingService                = 0x00321033
	RequestingServiceCodeSequence    = 0x00321034
	ReasonForVisit                   = 0x00321066
	ReasonForVisitCodeSequence       = 0x00321067
	AdmissionID                      = 0x00380010
	IssuerOfAdmissionIDSequence      = 0x00380014
	ServiceEpisodeID                 = 0x00380060
	ServiceEpisodeDescription        = 0x00380062
	IssuerOfServiceEpisodeIDSequence = 0x00380064
	PatientState                     = 0x00380500

	// Structured reports (PS3.3 C.17, C.18), documents and optical paths (C.24, C.8.12).
	MeasurementUnitsCodeSequence              = 0x004008ea
	ReasonForPerformedProcedureCodeSequence   = 0x00401012
	RelationshipType                          = 0x0040a010
	ValueType                                 = 0x0040a040
	ConceptNameCodeSequence                   = 0x0040a043
	ContinuityOfContent                       = 0x0040a050
	UID                                       = 0x0040a124
	TextValue                                 = 0x0040a160
	ConceptCodeSequence                       = 0x0040a168
	PurposeOfReferenceCodeSequence            = 0x0040a170
	MeasuredValueSequence                     = 0x0040a300
	NumericValue                              = 0x0040a30a
	PerformedProcedureCodeSequence            = 0x0040a372
	CurrentRequestedProcedureEvidenceSequence = 0x0040a375
	CompletionFlag                            = 0x0040a491
	VerificationFlag                          = 0x0040a493
	ContentTemplateSequence                   = 0x0040a504
	ContentSequence                           = 0x0040a730
	TemplateIdentifier                        = 0x0040db00
	EncapsulatedDocument                      = 0x00420011
	OpticalPathSequence                       = 0x00480105

	// Segmentation (PS3.3 C.8.20) and its algorithm (10.16).
	SegmentationType                            = 0x00620001
	SegmentSequence                             = 0x00620002
	SegmentedPropertyCategoryCodeSequence       = 0x00620003
	SegmentNumber                               = 0x00620004
	SegmentLabel                                = 0x00620005
	SegmentationAlgorithmIdentificationSequence = 0x00620007
	SegmentAlgorithmType                        = 0x00620008
	SegmentAlgorithmName                        = 0x00620009
	SegmentIdentificationSequence               = 0x0062000a
	ReferencedSegmentNumber                     = 0x0062000b
	RecommendedDisplayCIELabValue               = 0x0062000d
	MaximumFractionalValue                      = 0x0062000e
	SegmentedPropertyTypeCodeSequence           = 0x0062000f
	SegmentationFractionalType                  = 0x00620010
	SegmentsOverlap                             = 0x00620013
	AlgorithmFamilyCodeSequence                 = 0x0066002f
	AlgorithmVersion                            = 0x00660031
	AlgorithmName                               = 0x00660036

	// Presentation states (PS3.3 C.10, C.11).
	GraphicAnnotationSequence                 = 0x00700001
	GraphicLayer                              = 0x00700002
	GraphicAnnotationUnits                    = 0x00700005
	GraphicObjectSequence                     = 0x00700009
	GraphicDimensions                         = 0x00700020
	NumberOfGraphicPoints                     = 0x00700021
	GraphicData                               = 0x00700022
	GraphicType                               = 0x00700023
	GraphicFilled                             = 0x00700024
	DisplayedAreaTopLeftHandCorner            = 0x00700052
	DisplayedAreaBottomRightHandCorner        = 0x00700053
	DisplayedAreaSelectionSequence            = 0x0070005a
	GraphicLayerSequence                      = 0x00700060
	GraphicLayerOrder                         = 0x00700062
	GraphicLayerDescription                   = 0x00700068
	ContentLabel                              = 0x00700080
	ContentDescription                        = 0x00700081
	PresentationCreationDate                  = 0x00700082
	PresentationCreationTime                  = 0x00700083
	ContentCreatorName                        = 0x00700084
	PresentationSizeMode                      = 0x00700100
	PresentationPixelSpacing                  = 0x00700101
	PresentationPixelAspectRatio              = 0x00700102
	GraphicLayerRecommendedDisplayCIELabValue = 0x00700401
	PresentationLUTShape                      = 0x20500020

	// Structure sets (PS3.3 C.8.8).
	StructureSetLabel                  = 0x30060002
	StructureSetName                   = 0x30060004
	StructureSetDate                   = 0x30060008
	StructureSetTime                   = 0x30060009
	ReferencedFrameOfReferenceSequence = 0x30060010
	RTReferencedStudySequence          = 0x30060012
	RTReferencedSeriesSequence         = 0x30060014
	ContourImageSequence               = 0x30060016
	StructureSetROISequence            = 0x30060020
	ROINumber                          = 0x30060022
	ReferencedFrameOfReferenceUID      = 0x30060024
	ROIName                            = 0x30060026
	ROIDisplayColor                    = 0x3006002a
	ROIGenerationAlgorithm             = 0x30060036
	ROIContourSequence                 = 0x30060039
	ContourSequence                    = 0x30060040
	ContourGeometricType               = 0x30060042
	NumberOfContourPoints              = 0x30060046
	ContourData                        = 0x30060050
	RTROIObservationsSequence          = 0x30060080
	ObservationNumber                  = 0x30060082
	ReferencedROINumber                = 0x30060084
	RTROIIdentificationCodeSequence    = 0x30060086
	RTROIInterpretedType               = 0x300600a4
	ROIInterpreter                     = 0x300600a6
	ApprovalStatus                     = 0x300e0002

	// Curves, functional groups (PS3.3 C.7.6.16) and pixel data (C.7.6.24).
	CurveDescription                 = 0x50000022
	SharedFunctionalGroupsSequence   = 0x52009229
	PerFrameFunctionalGroupsSequence = 0x52009230
	ExtendedOffsetTable              = 0x7fe00001
	ExtendedOffsetTableLengths       = 0x7fe00002
	FloatPixelData                   = 0x7fe00008
	DoubleFloatPixelData             = 0x7fe00009
	PixelData                        = 0x7fe00010

	// Padding (PS3.10 7.2), items and delimiters (PS3.5 7.5).
	DataSetTrailingPadding   = 0xfffcfffc
	Item                     = 0xfffee000
	ItemDelimitationItem     = 0xfffee00d
	SequenceDelimitationItem = 0xfffee0dd
)
