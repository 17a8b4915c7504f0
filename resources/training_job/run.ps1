# The training run of this folder: begins, or goes on from its last checkpoint. README.md says more.
#   $env:KOTAE_PYTHON  a Python that has the training environment; without it one is made in .\environment
$ErrorActionPreference = "Stop"
Set-Location $PSScriptRoot
foreach ($list in "SHA256SUMS", "base.sha256") {
    foreach ($line in Get-Content $list -Encoding UTF8) {
        $wanted, $file = $line -split "  ", 2
        if ((Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash -ne $wanted) { throw "$file is not the file of this job" }
    }
}

$python = $env:KOTAE_PYTHON
if (-not $python) {
    $python = "environment\Scripts\python.exe"
    if (-not (Test-Path "environment\ready")) {
        py -3 -m venv environment
        # On Windows the torch of PyPI cannot use a graphics card; PyTorch's own index has the one that can.
        & $python -m pip install --only-binary :all: --extra-index-url https://download.pytorch.org/whl/cu130 --requirement requirements.txt
        if ($LASTEXITCODE -ne 0) { throw "pip failed" }
        New-Item "environment\ready" -ItemType File | Out-Null
    }
}

$resume = @()
if (Test-Path "run\checkpoints\checkpoint-*") { $resume = @("--resume") }
& $python -I -X utf8 trainer\start.py trainer run.json @resume
exit $LASTEXITCODE
