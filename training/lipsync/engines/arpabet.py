"""American English phones of flite and festival in IPA."""

from __future__ import annotations

_PAIRS = """
aa=ɑ ae=æ ah=ʌ ax=ə axr=ɚ er=ɚ r=ɹ eh=ɛ ih=i ix=i iy=i ao=ɔ uh=u uw=u w=w y=j ey=ei ay=ai aw=au ow=ou oy=oi
p=p b=b m=m em=m f=f v=v th=θ dh=ð t=t d=d dx=ɾ k=k g=g ng=ŋ n=n en=n l=l el=l s=s z=z sh=ʃ zh=ʒ ch=tʃ jh=dʒ
hh=h h=h hv=h pau= sil= brth= h#= #=
"""

ARPABET: dict[str, str] = dict(pair.split("=") for pair in _PAIRS.split())
