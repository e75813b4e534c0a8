"""One file per scheme; none knows another. `SCHEMES` is the order of every result."""

from __future__ import annotations

from mcastplan.schemes.base import Scheme
from mcastplan.schemes.bier import Bier
from mcastplan.schemes.ingress_replication import IngressReplication
from mcastplan.schemes.pim_sm import PimSm
from mcastplan.schemes.sr_p2mp import SrP2mp
from mcastplan.schemes.unicast import Unicast

SCHEMES: tuple[type[Scheme], ...] = (Unicast, IngressReplication, PimSm, SrP2mp, Bier)
