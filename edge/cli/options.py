"""Options that several commands share, each described once.

They have no defaults of their own: what is not given has the default of the settings, which the help repeats
(tests/edge/cli/test_options.py compares them). The texts are written out, since importing the settings would slow
`--help` down.
"""

import click

SOURCES = "A folder, a picture or video file, /dev/videoN, picamera2[:N], a stream's URL or synthetic."
BUNDLE = "A directory or a .fieldfare file."

runtime = click.option("--runtime", help="auto, litert or tflite-runtime.  [default: auto]")
device = click.option("--device", help="auto, cpu, any, usb[:N], pci[:N], or an Edge TPU's place.  [default: auto]")
threads = click.option("--threads", type=int, help="CPU threads for inference.  [default: 2]")
threshold = click.option("--threshold", type=float, help="Best scores under it are 'unknown'.  [default: the bundle's]")
top = click.option("--top", type=int, help="How many candidates to report.  [default: 3]")
size = click.option("--size", metavar="WxH", help="Frame size to set on a camera.  [default: 640x480]")
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
