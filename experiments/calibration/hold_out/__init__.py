"""Days of a log played again: proof of a calibration on days that it has not seen."""
