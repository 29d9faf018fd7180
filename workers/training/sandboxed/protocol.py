"""What goes over the pipes between trainer and sandbox.

A request is a header and the program's job in JSON; a reply is a header and what the program wrote. The first reply is
the list of what this machine granted, in JSON.
"""

import struct

REQUEST = struct.Struct("<IdI")  # bytes of the job, seconds of wall time, the most bytes of output
REPLY = struct.Struct("<BiI")  # how it ended, its wait status, bytes of output
EXITED, OUT_OF_TIME, TOO_MUCH_OUTPUT = range(3)
