"""API descriptions in OpenAPI and Swagger: operations, their parameters, and which data classes bodies hold."""
