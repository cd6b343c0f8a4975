"""A kernel of this environment does not tell the version of its Python, which JupyterLab
would write into every notebook that is opened."""
from ipykernel.ipkernel import IPythonKernel

IPythonKernel.language_info.pop("version", None)
