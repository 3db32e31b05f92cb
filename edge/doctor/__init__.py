"""`fieldfare doctor`: everything between camera and result, looked at one by one.

Each check is a function from a Case to findings; `examination` runs them all, each on its own. What may hang or
crash (libraries, cameras, the Edge TPU, a model) is tried in a child process, edge.doctor.probe. Nothing here
imports numpy, OpenCV or a TFLite runtime: the doctor is for machines where they are broken.
"""
