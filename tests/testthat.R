library(testthat)
library(survivalGPU)

test_check("survivalGPU")
