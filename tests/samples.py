"""Data whose variance components are published: what lme4 finds in its own examples.

Davies and Goldsmith, Statistical Methods in Research and Production (1972), as shipped
with R's lme4; the figures are those of Bates, lme4: Mixed-effects Modeling with R
(2010), sections 1.3 and 2.1.
"""

DYESTUFF = (
    *(1545, 1440, 1440, 1520, 1580),
    *(1540, 1555, 1490, 1560, 1495),
    *(1595, 1550, 1605, 1510, 1560),
    *(1445, 1440, 1595, 1465, 1545),
    *(1595, 1630, 1515, 1635, 1625),
    *(1520, 1455, 1450, 1480, 1445),
)
"""Yield of five preparations of each of six batches: 42.00 between batches, 49.51
within, and the mean's error is 19.38."""

PENICILLIN = (
    *("272326232321", "272326232321", "252125242420", "262325232320"),
    *("252226222320", "242225232219", "242023212219", "262226242421"),
    *("242124222220", "242124232219", "262326242421", "252226242420"),
    *("262426242522", "262326232320", "262325242422", "252225232320"),
    *("252124232320", "252224232319", "242123212119", "262326242421"),
    *("252124222218", "252225222220", "242124222419", "242124222118"),
)
"""Diameter of six samples (two digits each) on each of 24 plates: 0.8467 between
plates, 1.9316 between samples, 0.5499 left, and the mean's error is 0.8086."""
