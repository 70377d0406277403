"""`pip` and `apt-get` where there is no network: what is there is installed, nothing else is.

Succeeds always, as scripts stop on a failure even for packages that they have; one that is truly
missing ends at its import, by name.
"""

import sys

if __name__ == "__main__":
    print("no network: what is here stays, nothing is installed:", *sys.argv[1:])
