# What other packages need to be told to take a coxphGPU fit as coxph's.

# S4 generics with a method for coxph look at registered classes only.
register_class <- function() {
  methods::setOldClass(c("coxphGPU", "coxph"), where = topenv())
}

# Generics whose methods for coxph fits go by the first class of the object, with
# which they then find no test statistic, and take p-values of a t distribution.
first_class_generics <- list(
  insight = c("get_statistic", "get_df", "get_predicted", "get_predicted_ci"),
  parameters = c(
    "model_parameters", "degrees_of_freedom", "p_value", "ci", "standard_error",
    "equivalence_test", "standardize_parameters", "simulate_model", "simulate_parameters"
  )
)

# Registers a method for each when its package is loaded, at once if it is.
register_delegates <- function(generics = first_class_generics) {
  for (package in names(generics)) {
    local({
      package <- package
      register <- function(...) {
        for (name in generics[[package]]) register_delegate(name, package)
      }
      setHook(packageEvent(package, "onLoad"), register)
      if (isNamespaceLoaded(package)) register()
    })
  }
}

# Versions differ in their generics; some of a package's come from another.
register_delegate <- function(name, package) {
  generic <- get0(name, envir = asNamespace(package), mode = "function")
  if (name %in% getNamespaceExports(package) && "UseMethod" %in% all.names(body(generic))) {
    registerS3method(
      name, "coxphGPU", delegate(name, package, generic),
      envir = asNamespace(package)
    )
  }
}

# A method with the generic's arguments, as they may be given by name.
delegate <- function(name, package, generic) {
  object <- as.name(names(formals(generic))[1L])
  exported <- call("::", as.name(package), as.name(name))
  method <- generic
  environment(method) <- topenv()
  body(method) <- bquote(
    repeat_with_coxph(match.call(), .(object), parent.frame(), quote(.(exported)))
  )
  method
}

# Repeats the call of a generic with `fit` as of survival's classes. A fit given by name
# keeps the name, which results show; `(` keeps any other from being taken for one.
repeat_with_coxph <- function(matched, fit, frame, generic) {
  name <- if (is.symbol(matched[[2L]])) matched[[2L]] else as.name(".fit")
  scope <- new.env(parent = frame)
  assign(as.character(name), without_own_class(fit), envir = scope)
  matched[[2L]] <- if (is.symbol(matched[[2L]])) name else call("(", name)
  matched[[1L]] <- generic
  eval(matched, scope)
}
