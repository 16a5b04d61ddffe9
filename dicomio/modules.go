package dicomio

// patientTags are the attributes of the patient (PS3.3 C.7.1.1 Patient, C.7.1.3
// Clinical Trial Subject) that an object has in common with its source. All
// are copied: archives compare them.
var patientTags = []uint32{
	0x00081120,                                     // ReferencedPatientSequence
	0x00100010, 0x00100020, 0x00100021, 0x00100022, // PatientName, PatientID, issuer and type of it
	0x00100024, 0x00100026, 0x00100027, // IssuerOfPatientIDQualifiersSequence, patient groups
	0x00100030, 0x00100032, 0x00100033, 0x00100034, 0x00100035, // PatientBirthDate and -Time, other calendars
	0x00100040, 0x00100200, // PatientSex, QualityControlSubject
	0x00100212, 0x00100213, 0x00100214, 0x00100215, 0x00100216, 0x00100217, 0x00100218, 0x00100219, // strain of an animal
	0x00100221, 0x00100222, 0x00100223, // genetic modifications
	0x00101000, 0x00101001, 0x00101002, // OtherPatientIDs, OtherPatientNames, OtherPatientIDsSequence
	0x00102160, 0x00104000, // EthnicGroup, PatientComments
	0x00102201, 0x00102202, 0x00102292, 0x00102293, 0x00102294, // species and breed of an animal
	0x00102297, 0x00102298, 0x00102299, // ResponsiblePerson, its role and organisation
	0x00120010, 0x00120020, 0x00120021, 0x00120030, 0x00120031, // clinical trial: sponsor, protocol, site
	0x00120040, 0x00120042, 0x00120081, 0x00120082, // clinical trial: subject, ethics committee
	0x00120062, 0x00120063, 0x00120064, // PatientIdentityRemoved and how
}

// studyTags are the attributes of the study (PS3.3 C.7.2.1 General Study,
// C.7.2.2 Patient Study, C.7.2.3 Clinical Trial Study).
var studyTags = []uint32{
	tagStudyUID, 0x00080020, 0x00080030, // StudyInstanceUID, StudyDate, StudyTime
	0x00080050, 0x00080051, // AccessionNumber, its issuer
	0x00080090, 0x00080096, 0x0008009c, 0x0008009d, // ReferringPhysicianName, consulting physicians
	0x00081030, 0x00081032, // StudyDescription, ProcedureCodeSequence
	0x00081048, 0x00081049, 0x00081060, 0x00081062, // physicians of record and reading the study
	0x00081080, 0x00081084, // AdmittingDiagnosesDescription
	0x00081110, 0x00200010, 0x00321033, 0x00321034, 0x00401012, // ReferencedStudySequence, StudyID, RequestingService, reason
	0x00101010, 0x00101020, 0x00101021, 0x00101022, 0x00101023, 0x00101024, 0x00101030, // PatientAge, size and weight
	0x00102000, 0x00102110, 0x00102180, 0x001021a0, 0x001021b0, 0x001021c0, 0x001021d0, 0x00102203, // medical history
	0x00321066, 0x00321067, 0x00380010, 0x00380014, 0x00380060, 0x00380062, 0x00380064, 0x00380500, // visit
	0x00120050, 0x00120051, 0x00120052, 0x00120053, 0x00120083, // clinical trial: time point, consent
}

// requiredTags must be there in every object, be it without a value (type 2).
var requiredTags = []uint32{
	0x00100010, 0x00100020, 0x00100030, 0x00100040, // PatientName, PatientID, PatientBirthDate, PatientSex
	0x00080020, 0x00080030, 0x00080050, 0x00080090, 0x00200010, // StudyDate, -Time, AccessionNumber, ReferringPhysicianName, StudyID
}

// imageTags are attributes of the image itself that say where it lies, what is
// referred to, and how a viewer grades it.
var imageTags = []uint32{
	tagCharacterSet, tagClassUID, tagInstanceUID, tagModality, tagSeriesUID,
	0x00180015, 0x00200062, // BodyPartExamined, ImageLaterality
	0x00180050, 0x00180088, // SliceThickness, SpacingBetweenSlices
	0x00200011, 0x00200013, // SeriesNumber, InstanceNumber
	tagPatientOrientation, tagPosition, tagOrientation, tagFrameOfReference, tagPositionReference, 0x00200060, // Laterality
	tagSamples, tagPhotometric, tagFrames, tagRows, tagColumns, tagPixelSpacing, 0x00280034, // PixelAspectRatio
	tagAllocated, tagStored, tagHighBit, tagSigned, tagBurnedIn,
	tagCenter, tagWidth, tagIntercept, tagSlope, 0x00281054, 0x00281055, tagVOIFunction, // RescaleType, window's explanation
	tagLossy, tagLossyRatio, tagLossyMethod,
	tagModalityLUT, tagVOILUT, tagLUTShape, tagSharedGroups, tagPerFrame,
	tagICCProfile, tagOpticalPath,
	tagDimensionIndex, 0x00200012, 0x00200100, 0x00180081, 0x00189087, // AcquisitionNumber, TemporalPositionIdentifier, EchoTime, DiffusionBValue
	0x00181060, 0x00080032, 0x00080033, // TriggerTime, AcquisitionTime, ContentTime
}

// Tags of what is copied or written.
const (
	tagCharacterSet       = 0x00080005
	tagClassUID           = 0x00080016
	tagInstanceUID        = 0x00080018
	tagRefClassUID        = 0x00081150
	tagRefInstanceUID     = 0x00081155
	tagRefFrame           = 0x00081160
	tagStudyUID           = 0x0020000d
	tagSeriesUID          = 0x0020000e
	tagPatientOrientation = 0x00200020
	tagInstanceNumber     = 0x00200013
	tagPosition           = 0x00200032
	tagOrientation        = 0x00200037
	tagFrameOfReference   = 0x00200052
	tagPositionReference  = 0x00201040
	tagPlanePosition      = 0x00209113
	tagPlaneOrientation   = 0x00209116
	tagPixelSpacing       = 0x00280030
	tagLossy              = 0x00282110
	tagLossyRatio         = 0x00282112
	tagLossyMethod        = 0x00282114
)
