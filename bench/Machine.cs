using System.Runtime.InteropServices;

namespace WebhookService.Bench;

/// <summary>What the numbers were taken on.</summary>
internal static class Machine
{
    public static string Description
    {
        get
        {
            var gigabytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1024d * 1024 * 1024);
            return $"{Environment.ProcessorCount} cores ({Processor()}), {gigabytes:0} GB memory, {Kernel()}, {RuntimeInformation.FrameworkDescription}, {Build}";
        }
    }

    /// <summary>How busy the machine is, this program included; beyond its cores, times tell more of the others' work than of the service.</summary>
    public static string Load => OperatingSystem.IsLinux() ? $"load average of the last minute {File.ReadAllText("/proc/loadavg").Split(' ')[0]}" : "load unknown";

#if DEBUG
    public const string Build = "Debug build: not representative, run with -c Release";
#else
    public const string Build = "Release build";
#endif

    private static string Kernel() => OperatingSystem.IsLinux() ? "Linux " + File.ReadAllText("/proc/sys/kernel/osrelease").Trim() : RuntimeInformation.OSDescription;

    private static string Processor()
    {
        var line = OperatingSystem.IsLinux() ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}
