package dicomio

import "segd/dicomio/tag"

// patientTags are the attributes of the patient (PS3.3 C.7.1.1 Patient, C.7.1.3
// Clinical Trial Subject) that an object shares with its source. All are copied,
// because archives compare them.
var patientTags = []uint32{
	tag.ReferencedPatientSequence,
	tag.PatientName, tag.PatientID, tag.IssuerOfPatientID, tag.TypeOfPatientID, tag.IssuerOfPatientIDQualifiersSequence,
	tag.SourcePatientGroupIdentificationSequence, tag.GroupOfPatientsIdentificationSequence,
	tag.PatientBirthDate, tag.PatientBirthTime, tag.PatientBirthDateInAlternativeCalendar,
	tag.PatientDeathDateInAlternativeCalendar, tag.PatientAlternativeCalendar,
	tag.PatientSex, tag.QualityControlSubject,
	tag.OtherPatientIDs, tag.OtherPatientNames, tag.OtherPatientIDsSequence, tag.EthnicGroup, tag.PatientComments,
	// Animals.
	tag.StrainDescription, tag.StrainNomenclature, tag.StrainStockNumber, tag.StrainSourceRegistryCodeSequence,
	tag.StrainStockSequence, tag.StrainSource, tag.StrainAdditionalInformation, tag.StrainCodeSequence,
	tag.GeneticModificationsSequence, tag.GeneticModificationsDescription, tag.GeneticModificationsNomenclature,
	tag.PatientSpeciesDescription, tag.PatientSpeciesCodeSequence,
	tag.PatientBreedDescription, tag.PatientBreedCodeSequence, tag.BreedRegistrationSequence,
	tag.ResponsiblePerson, tag.ResponsiblePersonRole, tag.ResponsibleOrganization,
	// Clinical trials and earlier de-identification.
	tag.ClinicalTrialSponsorName, tag.ClinicalTrialProtocolID, tag.ClinicalTrialProtocolName,
	tag.ClinicalTrialSiteID, tag.ClinicalTrialSiteName, tag.ClinicalTrialSubjectID, tag.ClinicalTrialSubjectReadingID,
	tag.ClinicalTrialProtocolEthicsCommitteeName, tag.ClinicalTrialProtocolEthicsCommitteeApprovalNumber,
	tag.PatientIdentityRemoved, tag.DeidentificationMethod, tag.DeidentificationMethodCodeSequence,
}

// studyTags are the attributes of the study (PS3.3 C.7.2.1 General Study,
// C.7.2.2 Patient Study, C.7.2.3 Clinical Trial Study).
var studyTags = []uint32{
	tag.StudyInstanceUID, tag.StudyDate, tag.StudyTime, tag.StudyID,
	tag.AccessionNumber, tag.IssuerOfAccessionNumberSequence,
	tag.ReferringPhysicianName, tag.ReferringPhysicianIdentificationSequence,
	tag.ConsultingPhysicianName, tag.ConsultingPhysicianIdentificationSequence,
	tag.PhysiciansOfRecord, tag.PhysiciansOfRecordIdentificationSequence,
	tag.NameOfPhysiciansReadingStudy, tag.PhysiciansReadingStudyIdentificationSequence,
	tag.StudyDescription, tag.ProcedureCodeSequence, tag.ReferencedStudySequence,
	tag.RequestingService, tag.RequestingServiceCodeSequence, tag.ReasonForPerformedProcedureCodeSequence,
	// The patient at the time of the study.
	tag.AdmittingDiagnosesDescription, tag.AdmittingDiagnosesCodeSequence,
	tag.PatientAge, tag.PatientSize, tag.PatientSizeCodeSequence, tag.PatientBodyMassIndex,
	tag.MeasuredAPDimension, tag.MeasuredLateralDimension, tag.PatientWeight,
	tag.MedicalAlerts, tag.Allergies, tag.Occupation, tag.SmokingStatus, tag.AdditionalPatientHistory,
	tag.PregnancyStatus, tag.LastMenstrualDate, tag.PatientSexNeutered,
	tag.ReasonForVisit, tag.ReasonForVisitCodeSequence, tag.AdmissionID, tag.IssuerOfAdmissionIDSequence,
	tag.ServiceEpisodeID, tag.ServiceEpisodeDescription, tag.IssuerOfServiceEpisodeIDSequence, tag.PatientState,
	// Clinical trials.
	tag.ClinicalTrialTimePointID, tag.ClinicalTrialTimePointDescription, tag.LongitudinalTemporalOffsetFromEvent,
	tag.LongitudinalTemporalEventType, tag.ConsentForClinicalTrialUseSequence,
}

// requiredTags must be present in every object, if only without a value (type
// 2).
var requiredTags = []uint32{
	tag.PatientName, tag.PatientID, tag.PatientBirthDate, tag.PatientSex,
	tag.StudyDate, tag.StudyTime, tag.AccessionNumber, tag.ReferringPhysicianName, tag.StudyID,
}

// imageTags are the attributes of the image that say where it lies, how to
// refer to it, and how a viewer grades it.
var imageTags = []uint32{
	tag.SpecificCharacterSet, tag.ImageType, tag.SOPClassUID, tag.SOPInstanceUID, tag.Modality, tag.SeriesInstanceUID,
	tag.SeriesNumber, tag.InstanceNumber,
	tag.BodyPartExamined, tag.Laterality, tag.ImageLaterality, tag.PatientOrientation,
	tag.ImagePositionPatient, tag.ImageOrientationPatient, tag.FrameOfReferenceUID, tag.PositionReferenceIndicator,
	tag.SliceThickness, tag.SpacingBetweenSlices, tag.PixelSpacing, tag.PixelAspectRatio,
	tag.SamplesPerPixel, tag.PhotometricInterpretation, tag.NumberOfFrames, tag.Rows, tag.Columns,
	tag.BitsAllocated, tag.BitsStored, tag.HighBit, tag.PixelRepresentation, tag.BurnedInAnnotation,
	tag.RescaleIntercept, tag.RescaleSlope, tag.RescaleType, tag.ModalityLUTSequence,
	tag.WindowCenter, tag.WindowWidth, tag.WindowCenterWidthExplanation, tag.VOILUTFunction, tag.VOILUTSequence,
	tag.PresentationLUTShape, tag.ICCProfile, tag.OpticalPathSequence,
	tag.LossyImageCompression, tag.LossyImageCompressionRatio, tag.LossyImageCompressionMethod,
	tag.SharedFunctionalGroupsSequence, tag.PerFrameFunctionalGroupsSequence,
	tag.DimensionIndexSequence, tag.AcquisitionNumber, tag.TemporalPositionIdentifier, tag.EchoTime, tag.DiffusionBValue,
	tag.TriggerTime, tag.AcquisitionTime, tag.ContentTime,
}
