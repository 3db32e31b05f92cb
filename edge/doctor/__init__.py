"""Check everything between camera and result, one by one, for `fieldfare doctor`.

Each check is a function from a Case to findings; `examination` runs them all, each on its own. Whatever may hang or
crash (libraries, cameras, the Edge TPU, a model) is tried in a child process, edge.doctor.probe. Nothing else here
imports NumPy, OpenCV or a TFLite runtime, as the doctor must run on machines on which they are broken.
"""
