# Writes the tables and pictures of benchmarks/results/*.json into README.md, between its markers:
#   Rscript benchmarks/report.R [README]

for (part in Sys.glob("benchmarks/R/*.R")) source(part)

markers <- c("<!-- benchmarks: written by benchmarks/report.R -->", "<!-- benchmarks: end -->")

pictures_of <- function(stored, slug, root) {
  draw <- function(frame, plot, name, height, words) {
    if (is.null(frame)) {
      return(character())
    }
    path <- file.path("man", "figures", paste0("benchmark-", name, "-", slug, ".svg"))
    write_picture(plot(frame), file.path(root, path), height)
    sprintf("![%s](%s)", words, path)
  }
  speed <- speed_frame(entries_of(stored, c("issue", "resampling")))
  c(
    draw(
      speed, speed_picture, "speed", 1 + 0.25 * length(unique(speed$label)),
      "How many times as fast as survival"
    ),
    "",
    draw(
      scaling_frame(entries_of(stored, "scaling")), scaling_picture, "scaling", 4.5,
      "Seconds against rows and covariates"
    )
  )
}

section <- function(path, root) {
  stored <- read_results(path)
  machine_section(stored, pictures_of(stored, sub("[.]json$", "", basename(path)), root))
}

between_markers <- function(lines, content) {
  begin <- which(lines == markers[1])
  end <- which(lines == markers[2])
  if (length(begin) != 1 || length(end) != 1 || begin > end) {
    stop("README.md must have these two lines, in this order:\n", paste(markers, collapse = "\n"))
  }
  c(lines[seq_len(begin)], "", content, "", lines[end:length(lines)])
}

main <- function(readme = "README.md", results = Sys.glob("benchmarks/results/*.json")) {
  content <- unlist(lapply(results, section, root = dirname(readme)))
  if (length(content) == 0) content <- "Not measured yet: `make bench` does, and writes here."
  # no two empty lines in a row
  content <- content[nzchar(content) | c(TRUE, nzchar(content[-length(content)]))]
  writeLines(between_markers(readLines(readme), content), readme)
}

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) == 0) {
  main()
} else {
  main(arguments[1], arguments[-1])
}
